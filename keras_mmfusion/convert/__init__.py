"""Weights of the official PyTorch code into our models."""

from keras_mmfusion.convert.load_official import load_official

__all__ = ["load_official"]
