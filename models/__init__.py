"""Everything that embeds or paints, and how it is trained. The only home of torch, diffusers and transformers."""
