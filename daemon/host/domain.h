/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/**
 * What is done to one domain of ours.  Every call blocks, runs on a job's thread, may be
 * repeated and comes to the same.  A domain is ours when its name and its metadata say
 * so; no other is ever touched.
 */

/** How a domain is; absent when there is none. */
bool domain_inspect(virConnectPtr libvirt,
                    const char *id,
                    ProtoDomain *ret_domain,
                    GError **error);

/** All domains of ours, as ProtoDomain that the array clears; counts those that are not.
 */
GArray *domain_list(virConnectPtr libvirt, gint64 *ret_foreign, GError **error);

/** The first so many domains that are not ours, as ProtoForeign whose members the caller
 * clears. */
GArray *domain_list_foreign(virConnectPtr libvirt, guint limit, GError **error);

bool domain_define(virConnectPtr libvirt,
                   const HostOptions *options,
                   bool kvm,
                   const ProtoDomainSpec *spec,
                   GError **error);

/** What domain_define() was given to keep; NULL without an error if it was nothing. */
char *domain_recall(virConnectPtr libvirt, const char *id, GError **error);
bool domain_start(virConnectPtr libvirt,
                  const char *id,
                  ProtoDomain *ret_domain,
                  GError **error);
bool domain_shutdown(virConnectPtr libvirt,
                     Connection *for_guests,
                     const char *id,
                     GError **error);
bool domain_power_off(virConnectPtr libvirt, const char *id, GError **error);
bool domain_pause(virConnectPtr libvirt,
                  const char *id,
                  ProtoDomain *ret_domain,
                  GError **error);
bool domain_resume(virConnectPtr libvirt,
                   const char *id,
                   ProtoDomain *ret_domain,
                   GError **error);

/** Removes the domain, its disk, its seed and its log. */
bool domain_remove(virConnectPtr libvirt,
                   const HostOptions *options,
                   const char *id,
                   GError **error);

/** libvirt's state and reason in our words. */
DomainState domain_to_state(int state, int reason);

/** The domain with a reference, or NULL; ret_absent tells that there is none. */
virDomainPtr
domain_find(virConnectPtr libvirt, const char *id, bool *ret_absent, GError **error);

/** Where libvirt writes what the guest says on its serial console. */
char *domain_get_log_path(const HostOptions *options, const char *id);

/** Whether the options name a user's own libvirt. */
bool domain_is_session(const HostOptions *options);
