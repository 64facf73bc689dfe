/** @file Quantized tensors: quantize, dequantize, inspect. Upstream: none. Spec: none. */
