/** @file OrderedDict: a Map that torch.save writes as Python's OrderedDict. Upstream: collections.OrderedDict. Spec: none. */

/** A Map that is an OrderedDict in Python, where a plain Map is a dict. */
export class OrderedDict<K = string, V = unknown> extends Map<K, V> {}
