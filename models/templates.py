"""How a family's text encoder is addressed: our own copies, as templates; those of a checkpoint are never read.

Only what the pipelines ask for is covered: messages of words and pictures, then the beginning of the answer.
"""

QWEN3 = (  # quoted: a template's last line break is dropped
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}{% if not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
)
MISTRAL = (
    "<s>{% for message in messages %}{{ '[SYSTEM_PROMPT]' if message.role == 'system' else '[INST]' }}"
    "{% for part in message.content %}{{ part.text }}{% endfor %}"
    "{{ '[/SYSTEM_PROMPT]' if message.role == 'system' else '[/INST]' }}{% endfor %}"
)
QWEN_SEES = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{{ part.text }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
)
