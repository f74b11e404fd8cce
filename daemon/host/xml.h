/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

/**
 * A few words on libxml2's tree API: elements are added to a parent, text and attributes
 * are escaped by libxml2.
 */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

xmlDocPtr xml_new(const char *root);
xmlNodePtr xml_root(xmlDocPtr document);

/** Adds an element and returns it. */
xmlNodePtr xml_add(xmlNodePtr parent, const char *name);

/** Adds an element with text. */
xmlNodePtr xml_add_text(xmlNodePtr parent, const char *name, const char *text);
xmlNodePtr xml_add_int(xmlNodePtr parent, const char *name, gint64 number);

/** Sets attributes: name, value, name, value, NULL. */
void xml_set(xmlNodePtr element, ...) G_GNUC_NULL_TERMINATED;

/** Adds an element with attributes: name, value, ..., NULL. */
xmlNodePtr xml_add_with(xmlNodePtr parent, const char *name, ...) G_GNUC_NULL_TERMINATED;

/** The document as text, indented. */
char *xml_to_text(xmlDocPtr document);

/** Reads text that libvirt gave; NULL if it is no XML.  No entity, no network. */
xmlDocPtr xml_parse(const char *text);

/** The text of the first element at a path of names from element on, "a/b/c", to be
 * freed; NULL if there is none. */
char *xml_find_text(xmlNodePtr element, const char *path);

/** The value of an attribute, to be freed; NULL if it is not there. */
char *xml_get(xmlNodePtr element, const char *name);
