/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/domain-xml.h"

#include <libxml/parser.h>
#include <string.h>

#include "fuzz.h"
#include "host/xml.h"

/*
 * Whatever the strings of a spec are, its XML has the elements and attributes that it has
 * with harmless strings, and gives the strings back.  Characters that XML cannot hold may
 * make it unreadable (libvirt then refuses it), but nothing else.
 */

enum {
    NUMBER_BYTES = 6
};

/** Owns its strings. */
typedef struct {
    ProtoDomainSpec spec;
    DomainPlace place;
    GPtrArray *strings;
    bool is_xml;
} Input;

static bool
is_xml_text(const char *text)
{
    for (; *text != '\0'; text += g_utf8_skip[(guchar) *text]) {
        gunichar c = g_utf8_get_char(text);

        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xfffe ||
            c == 0xffff)
            return false;
    }
    return true;
}

static char *
take(Input *input, FuzzBytes *bytes)
{
    char *text = fuzz_take_utf8(bytes);

    g_ptr_array_add(input->strings, text);
    input->is_xml = input->is_xml && is_xml_text(text);
    return text;
}

/* The schema makes an id a UUID: any ASCII is wider than that. */
static char *
take_id(Input *input, FuzzBytes *bytes)
{
    char *id = take(input, bytes);

    for (char *at = id; *at != '\0'; at++) {
        if (!g_ascii_isprint(*at))
            *at = '?';
    }
    return id;
}

static gint64
take_number(FuzzBytes *bytes)
{
    return (gint64) fuzz_take_number(bytes, NUMBER_BYTES);
}

/* Statements, since the order of initialisers is the compiler's. */
static void
take_spec(Input *input, FuzzBytes *bytes, bool has_cmdline)
{
    ProtoDomainSpec *spec = &input->spec;

    spec->generation = take_number(bytes);
    spec->vcpus = take_number(bytes);
    spec->max_vcpus = take_number(bytes);
    spec->memory_bytes = take_number(bytes);
    spec->max_memory_bytes = take_number(bytes);
    spec->id = take_id(input, bytes);
    spec->name = take(input, bytes);
    spec->tenant = take(input, bytes);
    spec->template_id = take(input, bytes);
    spec->mac = take(input, bytes);
    if (has_cmdline)
        spec->cmdline = take(input, bytes);
}

static void
take_place(Input *input, FuzzBytes *bytes, uint8_t flags)
{
    DomainPlace *place = &input->place;

    place->kvm = (flags & 2) != 0;
    place->disk_path = take(input, bytes);
    place->template_path = take(input, bytes);
    place->seed_path = take(input, bytes);
    if ((flags & 4) != 0)
        place->kernel_path = take(input, bytes);
    if ((flags & 8) != 0)
        place->initrd_path = take(input, bytes);
    if ((flags & 16) != 0)
        place->network = take(input, bytes);
    if ((flags & 32) != 0)
        place->log_path = take(input, bytes);
}

static void
tame(const char **text)
{
    if (*text != NULL)
        *text = "x";
}

/* The same with harmless strings; borrows them. */
static void
make_tame(const Input *input, ProtoDomainSpec *spec, DomainPlace *place)
{
    char *const x = (char *) (gsize) "x";

    *spec = input->spec;
    *place = input->place;
    spec->id = spec->name = spec->tenant = spec->template_id = spec->mac = x;
    spec->cmdline = spec->cmdline != NULL ? x : NULL;
    tame(&place->disk_path);
    tame(&place->template_path);
    tame(&place->seed_path);
    tame(&place->kernel_path);
    tame(&place->initrd_path);
    tame(&place->network);
    tame(&place->log_path);
}

static xmlDocPtr
parse(const char *text)
{
    return xmlReadMemory(text, (int) strlen(text), "domain.xml", NULL,
                         XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

static void
append_shape(GString *shape, const xmlNode *node)
{
    for (; node != NULL; node = node->next) {
        g_assert_true(node->type == XML_ELEMENT_NODE || node->type == XML_TEXT_NODE);
        if (node->type != XML_ELEMENT_NODE)
            continue;
        g_string_append_printf(shape, "(%s", node->name);
        for (const xmlAttr *attribute = node->properties; attribute != NULL;
             attribute = attribute->next)
            g_string_append_printf(shape, " %s", attribute->name);
        append_shape(shape, node->children);
        g_string_append_c(shape, ')');
    }
}

static char *
get_shape(xmlDocPtr document)
{
    GString *shape = g_string_new(NULL);

    g_assert_null(document->intSubset);
    append_shape(shape, xmlDocGetRootElement(document));
    return g_string_free(shape, FALSE);
}

static xmlNodePtr
find(xmlNodePtr parent, const char *name)
{
    xmlNodePtr node = parent->children;

    while (node != NULL && strcmp((const char *) node->name, name) != 0)
        node = node->next;
    g_assert_nonnull(node);
    return node;
}

static void
assert_text(xmlNodePtr node, const char *expected)
{
    xmlChar *text = xmlNodeGetContent(node);

    g_assert_cmpstr((const char *) text, ==, expected);
    xmlFree(text);
}

static void
assert_attribute(xmlNodePtr node, const char *name, const char *expected)
{
    g_autofree char *value = xml_get(node, name);

    g_assert_cmpstr(value, ==, expected);
}

static void
check_strings(xmlDocPtr document, const Input *input)
{
    xmlNodePtr domain = xmlDocGetRootElement(document);
    xmlNodePtr instance = find(find(domain, "metadata"), "instance");
    xmlNodePtr devices = find(domain, "devices");

    assert_text(find(domain, "title"), input->spec.name);
    assert_text(find(domain, "uuid"), input->spec.id);
    assert_attribute(instance, "tenant", input->spec.tenant);
    assert_attribute(instance, "name", input->spec.name);
    assert_attribute(instance, "template", input->spec.template_id);
    assert_attribute(find(find(devices, "disk"), "source"), "file",
                     input->place.disk_path);
    assert_attribute(find(find(devices, "interface"), "mac"), "address", input->spec.mac);
    if (input->place.kernel_path != NULL && input->spec.cmdline != NULL)
        assert_text(find(find(domain, "os"), "cmdline"), input->spec.cmdline);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    uint8_t flags = fuzz_take_byte(&bytes);
    Input input = { .strings = g_ptr_array_new_with_free_func(g_free), .is_xml = true };
    ProtoDomainSpec spec;
    DomainPlace place;
    g_autofree char *text = NULL;
    g_autofree char *tame_text = NULL;
    g_autoptr(xmlDoc) document = NULL;
    g_autoptr(xmlDoc) tame_document = NULL;

    take_spec(&input, &bytes, (flags & 1) != 0);
    take_place(&input, &bytes, flags);
    make_tame(&input, &spec, &place);
    text = domain_xml_print(&input.spec, &input.place);
    tame_text = domain_xml_print(&spec, &place);
    document = parse(text);
    tame_document = parse(tame_text);
    g_assert_true(document != NULL || !input.is_xml);
    if (document != NULL) {
        g_autofree char *shape = get_shape(document);
        g_autofree char *tame_shape = get_shape(tame_document);

        g_assert_cmpstr(shape, ==, tame_shape);
    }
    if (input.is_xml)
        check_strings(document, &input);
    g_ptr_array_unref(input.strings);
    return 0;
}
