/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/findings.h"

#include <stdbool.h>

static void
finding_free(gpointer data)
{
    proto_finding_clear(data);
    g_free(data);
}

GPtrArray *
findings_new(void)
{
    return g_ptr_array_new_with_free_func(finding_free);
}

static void
take(GPtrArray *findings, const ProtoFinding *finding)
{
    g_ptr_array_add(findings, g_memdup2(finding, sizeof *finding));
}

void
findings_add_object(GPtrArray *findings,
                    FindingKind kind,
                    const char *host,
                    HeldKind object,
                    const char *id,
                    const char *name,
                    const char *detail)
{
    take(findings, &(ProtoFinding){ .kind = kind,
                                    .has_object = true,
                                    .object = object,
                                    .id = g_strdup(id),
                                    .name = g_strdup(name),
                                    .detail = g_strdup(detail),
                                    .host = g_strdup(host) });
}

void
findings_add(GPtrArray *findings,
             FindingKind kind,
             const char *id,
             const char *name,
             const char *format,
             ...)
{
    va_list arguments;

    va_start(arguments, format);
    take(findings, &(ProtoFinding){ .kind = kind,
                                    .id = g_strdup(id),
                                    .name = g_strdup(name),
                                    .detail = g_strdup_vprintf(format, arguments) });
    va_end(arguments);
}

static gboolean
is_same(gconstpointer a, gconstpointer b)
{
    const ProtoFinding *left = a;
    const ProtoFinding *right = b;

    return left->kind == right->kind && left->has_object == right->has_object &&
           left->object == right->object && g_strcmp0(left->id, right->id) == 0 &&
           g_strcmp0(left->host, right->host) == 0 &&
           g_strcmp0(left->detail, right->detail) == 0;
}

void
findings_keep_common(GPtrArray *findings, const GPtrArray *others)
{
    for (guint i = findings->len; i > 0; i--) {
        if (!g_ptr_array_find_with_equal_func((GPtrArray *) (gsize) others,
                                              findings->pdata[i - 1], is_same, NULL))
            g_ptr_array_remove_index(findings, i - 1);
    }
}
