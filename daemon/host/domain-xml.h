/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "proto.h"

/**
 * The XML of a domain from what is asked and what the host has.  Pure: no libvirt call,
 * no file.
 */

/** Our own elements within <metadata>; libvirt keeps them untouched. */
#define DOMAIN_XML_NAMESPACE "urn:vmctl:domain:1"

/** Where things lie on the host, and what it can do. */
typedef struct {
    /** KVM, else TCG. */
    bool kvm;
    const char *disk_path;
    const char *template_path;
    const char *seed_path;
    /** NULL: the disk's own boot loader. */
    const char *kernel_path;
    const char *initrd_path;
    /** NULL: a user-mode NIC, as a session has. */
    const char *network;
    const char *log_path;
} DomainPlace;

/** The domain's name on the host: "vmctl-" and the id. */
char *domain_xml_get_name(const char *id);

char *domain_xml_print(const ProtoDomainSpec *spec, const DomainPlace *place);

/** A memory module to be plugged in. */
char *domain_xml_print_dimm(gint64 bytes);

/** What <metadata> says of a domain of ours: tenant, name, generation.  False if text is
 * not ours. */
bool domain_xml_read_metadata(const char *text, ProtoDomain *domain);

/** The keepsake in <metadata>, or NULL. */
char *domain_xml_read_keepsake(const char *text);
