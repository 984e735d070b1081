"""The operating system without its looks: events, desktop, scene, guide, damage, context, journal, session.

Knows the standard library, numpy and Pillow. Does not know torch, pygame, or any painter but the guide's.
"""
