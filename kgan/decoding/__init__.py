"""Decodes image files as a user declares, one by one or in several processes, without TensorFlow.

Processes that decode import this package alone, so they start in a moment and take little memory.
"""
