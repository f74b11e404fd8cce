/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <stdarg.h>
#include <string.h>

#include "host/domain-xml.h"

#define ID "8a1c0f0e-3a55-4f0e-9a51-0c8d1b6d7f11"
#define TEMPLATE "0b4e5d1c-77aa-4d7e-8f11-9a2b3c4d5e6f"

static const char schema_path[] = "/usr/share/libvirt/schemas/domain.rng";
static const gint64 gib = G_GINT64_CONSTANT(1) << 30;

static ProtoDomainSpec
make_spec(void)
{
    return (ProtoDomainSpec){
        .id = (char *) (gsize) ID,
        .name = (char *) (gsize) "web",
        .tenant = (char *) (gsize) "default",
        .template_id = (char *) (gsize) TEMPLATE,
        .cmdline = (char *) (gsize) "console=ttyS0 root=/dev/vda",
        .initrd = true,
        .generation = 3,
        .vcpus = 2,
        .max_vcpus = 8,
        .memory_bytes = gib,
        .max_memory_bytes = 8 * gib,
        .mac = (char *) (gsize) "02:8a:1c:0f:0e:3a",
        .keepsake = (char *) (gsize) "eyJpZCI6MX0=",
    };
}

static DomainPlace
make_place(void)
{
    return (DomainPlace){
        .kvm = true,
        .disk_path = "/pool/" ID ".qcow2",
        .template_path = "/pool/" TEMPLATE ".qcow2",
        .seed_path = "/pool/" ID ".iso",
        .kernel_path = "/pool/" TEMPLATE ".kernel",
        .initrd_path = "/pool/" TEMPLATE ".initrd",
        .network = "vmd",
        .log_path = "/log/" ID ".console",
    };
}

/* libvirt's own description of what a domain may be. */
static xmlRelaxNG *
load_schema(void)
{
    xmlRelaxNGParserCtxt *context = xmlRelaxNGNewParserCtxt(schema_path);
    xmlRelaxNG *schema = NULL;

    g_assert_nonnull(context);
    schema = xmlRelaxNGParse(context);
    xmlRelaxNGFreeParserCtxt(context);
    g_assert_nonnull(schema);
    return schema;
}

static void
assert_valid(const char *text)
{
    static xmlRelaxNG *schema = NULL;
    xmlDoc *document = xmlReadMemory(text, (int) strlen(text), "domain.xml", NULL, 0);
    xmlRelaxNGValidCtxt *context = NULL;

    if (schema == NULL)
        schema = load_schema();
    g_assert_nonnull(document);
    context = xmlRelaxNGNewValidCtxt(schema);
    g_assert_cmpint(xmlRelaxNGValidateDoc(context, document), ==, 0);
    xmlRelaxNGFreeValidCtxt(context);
    xmlFreeDoc(document);
}

/* Against tests/golden/domain/NAME.xml; REGENERATE=1 writes it. */
static void
assert_golden(const char *name, const char *text)
{
    g_autofree char *file = g_strconcat(name, ".xml", NULL);
    g_autofree char *path = g_build_filename(g_getenv("GOLDEN"), "domain", file, NULL);
    g_autofree char *expected = NULL;

    if (g_getenv("REGENERATE") != NULL)
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_true(g_file_get_contents(path, &expected, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
    assert_valid(text);
}

static void
test_kvm_with_a_network(void)
{
    ProtoDomainSpec spec = make_spec();
    DomainPlace place = make_place();
    g_autofree char *text = domain_xml_print(&spec, &place);

    assert_golden("kvm-network", text);
}

static void
test_tcg_in_a_session(void)
{
    ProtoDomainSpec spec = make_spec();
    DomainPlace place = make_place();

    place.kvm = false;
    place.network = NULL;
    spec.vcpus = spec.max_vcpus = 1;
    g_autofree char *text = domain_xml_print(&spec, &place);

    assert_golden("tcg-session", text);
}

static void
test_own_boot_loader(void)
{
    ProtoDomainSpec spec = make_spec();
    DomainPlace place = make_place();

    spec.cmdline = NULL;
    spec.initrd = false;
    place.kernel_path = place.initrd_path = NULL;
    g_autofree char *text = domain_xml_print(&spec, &place);

    assert_golden("boot-loader", text);
}

/* The elements and attributes without their contents. */
static void
append_shape(GString *shape, xmlNode *node)
{
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        g_string_append_printf(shape, "<%s", node->name);
        for (xmlAttr *attribute = node->properties; attribute != NULL;
             attribute = attribute->next)
            g_string_append_printf(shape, " %s", attribute->name);
        append_shape(shape, node->children);
        g_string_append_c(shape, '>');
    }
}

static char *
shape_of(const ProtoDomainSpec *spec)
{
    DomainPlace place = make_place();
    g_autofree char *text = domain_xml_print(spec, &place);
    xmlDoc *document = xmlReadMemory(text, (int) strlen(text), "domain.xml", NULL, 0);
    GString *shape = g_string_new(NULL);

    g_assert_nonnull(document);
    append_shape(shape, xmlDocGetRootElement(document));
    xmlFreeDoc(document);
    return g_string_free(shape, FALSE);
}

static void
test_strings_add_no_elements(void)
{
    const char *const strings[] = {
        "a'/><devices><disk/></devices><x y='",
        "\"><on_crash>preserve</on_crash>",
        "]]><qemu:commandline/>",
        "&lt;evil&gt; &amp; &#60;",
        "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
        "--><!--",
        "\xe2\x80\xae\xf0\x9f\x92\xa9",
    };
    ProtoDomainSpec plain = make_spec();
    g_autofree char *expected = shape_of(&plain);

    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++) {
        ProtoDomainSpec spec = make_spec();

        spec.name = spec.tenant = spec.template_id = spec.cmdline = spec.mac =
            (char *) (gsize) strings[i];
        g_autofree char *shape = shape_of(&spec);

        g_assert_cmpstr(shape, ==, expected);
    }
}

static void
test_metadata_comes_back(void)
{
    g_auto(ProtoDomain) domain = { 0 };

    g_assert_true(domain_xml_read_metadata(
        "<vmctl:instance xmlns:vmctl='" DOMAIN_XML_NAMESPACE
        "' tenant='a&lt;b' name='web' template='t' generation='3'/>",
        &domain));
    g_assert_cmpstr(domain.tenant, ==, "a<b");
    g_assert_cmpstr(domain.name, ==, "web");
    g_assert_cmpint(domain.generation, ==, 3);
}

static void
test_other_metadata_is_not_ours(void)
{
    const char *const texts[] = { "", "x", "<instance/>", "<other tenant='a' name='b'/>",
                                  "<instance name='b'/>" };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(ProtoDomain) domain = { 0 };

        g_assert_false(domain_xml_read_metadata(texts[i], &domain));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/domain-xml/kvm-with-a-network", test_kvm_with_a_network);
    g_test_add_func("/domain-xml/tcg-in-a-session", test_tcg_in_a_session);
    g_test_add_func("/domain-xml/own-boot-loader", test_own_boot_loader);
    g_test_add_func("/domain-xml/strings-add-no-elements", test_strings_add_no_elements);
    g_test_add_func("/domain-xml/metadata-comes-back", test_metadata_comes_back);
    g_test_add_func("/domain-xml/other-metadata-is-not-ours",
                    test_other_metadata_is_not_ours);
    return g_test_run();
}
