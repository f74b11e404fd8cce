/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/** What a host is, with its pool and network made if they are missing.  Blocking. */
bool probe_host(virConnectPtr libvirt,
                const HostOptions *options,
                ProtoWorkerProbeReply *ret_reply,
                GError **error);

/**
 * Whether guests run on KVM.  accel is "kvm", "tcg" or "auto", which is KVM where libvirt
 * lists it and the processor has vmx or svm: a /dev/kvm without them opens and runs
 * nothing.
 */
bool probe_uses_kvm(const char *accel, const char *capabilities, const char *cpuinfo);
