/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/chain.h"

#include <nettle/sha2.h>
#include <string.h>

static const guint8 leaf_prefix = 0x00;
static const guint8 node_prefix = 0x01;
static const char first[] = "vmctl-ledger/1";

typedef struct {
    gconstpointer data;
    gsize length;
} Part;

static ChainHash
hash_parts(const Part *parts, gsize n_parts)
{
    struct sha256_ctx state;
    ChainHash hash;

    G_STATIC_ASSERT(sizeof hash.bytes == SHA256_DIGEST_SIZE);
    sha256_init(&state);
    for (gsize i = 0; i < n_parts; i++) {
        sha256_update(&state, parts[i].length, parts[i].data);
    }
    sha256_digest(&state, sizeof hash.bytes, hash.bytes);
    return hash;
}

ChainHash
chain_begin(const char *service_id)
{
    const Part parts[] = { { first, strlen(first) }, { service_id, strlen(service_id) } };

    return hash_parts(parts, G_N_ELEMENTS(parts));
}

ChainHash
chain_leaf(const guint8 *row, gsize length)
{
    const Part parts[] = { { &leaf_prefix, 1 }, { row, length } };

    return hash_parts(parts, G_N_ELEMENTS(parts));
}

ChainHash
chain_next(const ChainHash *before, const ChainHash *leaf)
{
    const Part parts[] = { { &node_prefix, 1 },
                           { before->bytes, sizeof before->bytes },
                           { leaf->bytes, sizeof leaf->bytes } };

    return hash_parts(parts, G_N_ELEMENTS(parts));
}

bool
chain_is_equal(const ChainHash *a, const ChainHash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

char *
chain_to_text(const ChainHash *hash)
{
    char *text = g_malloc(2 * CHAIN_HASH_BYTES + 1);

    for (int i = 0; i < CHAIN_HASH_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";

        text[2 * i] = digits[hash->bytes[i] >> 4];
        text[2 * i + 1] = digits[hash->bytes[i] & 0xf];
    }
    text[2 * CHAIN_HASH_BYTES] = '\0';
    return text;
}

bool
chain_from_text(const char *text, ChainHash *ret_hash)
{
    ChainHash hash;

    if (strlen(text) != 2 * CHAIN_HASH_BYTES)
        return false;
    for (int i = 0; i < CHAIN_HASH_BYTES; i++) {
        int high = g_ascii_xdigit_value(text[2 * i]);
        int low = g_ascii_xdigit_value(text[2 * i + 1]);

        if (high < 0 || low < 0 || g_ascii_isupper(text[2 * i]) ||
            g_ascii_isupper(text[2 * i + 1]))
            return false;
        hash.bytes[i] = (guint8) (high << 4 | low);
    }
    *ret_hash = hash;
    return true;
}
