"""Everything that embeds or paints, and how it is trained. The only home of torch, diffusers and transformers."""

import logging
import os

# Read once, when the libraries are first imported: whichever process or module does that, this comes before.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
# bitsandbytes, where it is installed, is taken in by diffusers for every open checkpoint, and on some processors complains then
# that a kernel is missing which it would have to fetch.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
# transformers tells on standard error, of every pipeline that diffusers takes in, that it does without torchvision.
logging.getLogger("transformers.utils.import_utils").setLevel(logging.ERROR)
