"""The compiled loops of `writers.tile_deflate`: differences, a Huffman code for them, and its bits (RFC 1951)."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import exact_kernel


@exact_kernel
def differ(values, top, left, differences):
    """Take a tile out of values (h, w) as differences between neighbours in a row; zeros lie beyond the edge.

    Returns whether any value of the tile is not zero.
    """
    n_rows, n_columns = differences.shape
    h, w = min(n_rows, len(values) - top), min(n_columns, values.shape[1] - left)
    seen = np.uint8(0)
    for i in range(h):
        row, out = values[top + i, left : left + w], differences[i]
        out[0] = row[0]
        seen |= row[0]
        for j in range(1, w):
            out[j] = np.uint8(row[j] - row[j - 1])
            seen |= row[j]
        if w < n_columns:
            out[w] = np.uint8(0 - row[w - 1])
            out[w + 1 :] = 0
    differences[h:] = 0
    return seen != 0


@exact_kernel
def count_values(values, step, counts):
    """Count bytes (h, w) of every so many rows; two tables (2, 257) take turns, so that none waits for itself."""
    even, odd = counts[0], counts[1]
    for i in range(0, len(values), step):
        row = values[i]
        for j in range(len(row) // 2):
            even[row[2 * j]] += 1
            odd[row[2 * j + 1]] += 1


@exact_kernel
def code_lengths(counts, longest):
    """Return the lengths of a Huffman code for symbols of these counts, at least two of them; zero where a count is.

    Where a code is longer than `longest`, rare symbols are taken as less rare until none is.
    """
    symbols = np.flatnonzero(counts)
    weights, n = counts[symbols], len(symbols)
    order = np.argsort(weights, kind="mergesort")
    depth = np.zeros(2 * n - 1, np.int64)
    while True:
        parent, total = np.zeros(2 * n - 1, np.int64), np.zeros(2 * n - 1, np.int64)
        total[:n] = weights[order]
        leaf, node = 0, n
        for made in range(n, 2 * n - 1):
            for _ in range(2):
                if leaf < n and (node == made or total[leaf] <= total[node]):
                    taken, leaf = leaf, leaf + 1
                else:
                    taken, node = node, node + 1
                parent[taken] = made
                total[made] += total[taken]
        for k in range(2 * n - 3, -1, -1):
            depth[k] = depth[parent[k]] + 1
        if depth.max() <= longest:
            break
        weights = weights // 2 + 1
    lengths = np.zeros(len(counts), np.int64)
    lengths[symbols[order]] = depth[:n]
    return lengths


@exact_kernel
def code_table(lengths):
    """Return the canonical code of each symbol in the lower 16 bits, first bit lowest, and its length above them."""
    table = np.zeros(len(lengths), np.uint64)
    code = 0
    for length in range(1, 16):
        for symbol in range(len(lengths)):
            if lengths[symbol] == length:
                turned = 0
                for bit in range(length):
                    turned |= ((code >> bit) & 1) << (length - 1 - bit)
                table[symbol] = np.uint64(turned | length << 16)
                code += 1
        code <<= 1
    return table


@exact_kernel
def put_bits(words, at, value, n_bits):
    """Put a few bits at a place of words that are zero from there on; return the place after them."""
    wide = np.uint64(value) << np.uint64(at & 31)
    words[at >> 5] |= np.uint32(wide)
    words[(at >> 5) + 1] |= np.uint32(wide >> np.uint64(32))
    return at + n_bits


@exact_kernel
def put_symbols(words, at, values, table):
    """Put the codes of an even number of bytes, two at a time, at a place of words; return the place after them."""
    k, held, n_held = np.uint64(at >> 5), np.uint64(words[at >> 5]), np.uint64(at & 31)  # whole: no index is negative
    for j in range(len(values) // 2):
        first, second = table[values[2 * j]], table[values[2 * j + 1]]
        n_first = first >> np.uint64(16)
        both = (first & np.uint64(0xFFFF)) | (second & np.uint64(0xFFFF)) << n_first
        held |= both << n_held
        n_held += n_first + (second >> np.uint64(16))
        words[k] = np.uint32(held)
        full = n_held >> np.uint64(5)
        k += full
        held >>= full << np.uint64(5)
        n_held -= full << np.uint64(5)
    words[k], words[k + np.uint64(1)] = np.uint32(held), 0
    return np.int64(k << np.uint64(5)) + np.int64(n_held)


@exact_kernel
def put_block(words, values, lengths):
    """Fill words with one last block of bytes by a code of these lengths (257,); return how many bits it takes.

    The lengths are put as they are, four bits each, by a code in which 0 to 15 have four bits. The two codes for
    distances that follow them are never used.
    """
    words[:64] = 0
    at = put_bits(words, 0, 0b101, 3)  # the last block; by a code of its own
    at = put_bits(words, at, 0, 5)  # 257 symbols
    at = put_bits(words, at, 1, 5)  # 2 distances
    at = put_bits(words, at, 15, 4)  # 19 lengths of codes for lengths: of 16, 17 and 18, then of 0 to 15
    for k in range(19):
        at = put_bits(words, at, 0 if k < 3 else 4, 3)
    for k in range(len(lengths) + 2):
        length = lengths[k] if k < len(lengths) else 1
        turned = (length & 1) << 3 | (length & 2) << 1 | (length & 4) >> 1 | (length & 8) >> 3
        at = put_bits(words, at, turned, 4)
    table = code_table(lengths)
    at = put_symbols(words, at, values, table)
    end = np.int64(table[256])
    return put_bits(words, at, end & 0xFFFF, end >> 16)
