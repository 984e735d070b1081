"""Dreams: the next plain picture of the screen, imagined from the last one, the events and the context.

A dream goes on in the guide's own neutral colours, whatever the style: the dreamer imagines the next guide, and the
denoiser paints it as it paints any guide. So what is learned once holds in every look, and what is dreamt is a choice
among few colours and known pictures, which does not blur, however often it is repeated.
"""
