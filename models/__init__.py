"""Everything that embeds or paints, and how it is trained. The only home of torch, diffusers and transformers."""

import os

# Read once, when the libraries are first imported: whichever process or module does that, this comes before.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
