/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/xml.h"

#include <libxml/parser.h>
#include <string.h>

static const xmlChar *
to_xml(const char *text)
{
    return (const xmlChar *) text;
}

xmlDocPtr
xml_new(const char *root)
{
    xmlDocPtr document = xmlNewDoc(to_xml("1.0"));

    xmlDocSetRootElement(document, xmlNewDocNode(document, NULL, to_xml(root), NULL));
    return document;
}

xmlNodePtr
xml_root(xmlDocPtr document)
{
    return xmlDocGetRootElement(document);
}

xmlNodePtr
xml_add(xmlNodePtr parent, const char *name)
{
    return xmlNewChild(parent, NULL, to_xml(name), NULL);
}

xmlNodePtr
xml_add_text(xmlNodePtr parent, const char *name, const char *text)
{
    return xmlNewTextChild(parent, NULL, to_xml(name), to_xml(text));
}

xmlNodePtr
xml_add_int(xmlNodePtr parent, const char *name, gint64 number)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);

    return xml_add_text(parent, name, text);
}

static void
set_all(xmlNodePtr element, va_list arguments)
{
    for (const char *name = va_arg(arguments, const char *); name != NULL;
         name = va_arg(arguments, const char *)) {
        xmlNewProp(element, to_xml(name), to_xml(va_arg(arguments, const char *)));
    }
}

void
xml_set(xmlNodePtr element, ...)
{
    va_list arguments;

    va_start(arguments, element);
    set_all(element, arguments);
    va_end(arguments);
}

xmlNodePtr
xml_add_with(xmlNodePtr parent, const char *name, ...)
{
    xmlNodePtr element = xml_add(parent, name);
    va_list arguments;

    va_start(arguments, name);
    set_all(element, arguments);
    va_end(arguments);
    return element;
}

char *
xml_to_text(xmlDocPtr document)
{
    xmlChar *memory = NULL;
    int size = 0;
    char *text = NULL;

    xmlDocDumpFormatMemoryEnc(document, &memory, &size, "UTF-8", 1);
    text = g_strndup((const char *) memory, (gsize) size);
    xmlFree(memory);
    return text;
}

xmlDocPtr
xml_parse(const char *text)
{
    return xmlReadMemory(text, (int) strlen(text), "libvirt.xml", NULL,
                         XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

static xmlNodePtr
find_child(xmlNodePtr element, const char *name)
{
    xmlNodePtr child = xmlFirstElementChild(element);

    while (child != NULL && strcmp((const char *) child->name, name) != 0)
        child = xmlNextElementSibling(child);
    return child;
}

char *
xml_find_text(xmlNodePtr element, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    xmlChar *text = NULL;
    char *copy = NULL;

    for (gsize i = 0; names[i] != NULL && element != NULL; i++)
        element = find_child(element, names[i]);
    text = element != NULL ? xmlNodeGetContent(element) : NULL;
    copy = g_strdup((const char *) text);
    xmlFree(text);
    return copy;
}

char *
xml_get(xmlNodePtr element, const char *name)
{
    xmlChar *value = xmlGetProp(element, to_xml(name));
    char *copy = g_strdup((const char *) value);

    xmlFree(value);
    return copy;
}
