/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "host/devices.h"

static const char running[] =
    "<domain type='kvm' id='3'><name>x</name><devices>"
    "<disk type='file' device='disk'><source file='/a' index='4'/>"
    "<target dev='vda' bus='virtio'/><serial>8a1c0f0e-3a55-4f0e-9</serial></disk>"
    "<disk type='file' device='disk'><source file='/b' index='1'/>"
    "<target dev='vdb' bus='virtio'/></disk>"
    "<disk type='file' device='disk'><source file='/c' index='2'/>"
    "<target dev='vdc' bus='virtio'/><serial>8a1c0f0e-3a55-4f0e-9</serial></disk>"
    "<interface type='network'><mac address='52:54:00:00:00:01'/>"
    "<target dev='vnet7'/></interface>"
    "<interface type='user'><mac address='52:54:00:00:00:02'/></interface>"
    "</devices></domain>";

static void
assert_device(const GArray *list,
              guint index,
              const char *target,
              const char *key,
              const char *incarnation)
{
    const Device *device = &g_array_index(list, Device, index);

    g_assert_cmpstr(device->target, ==, target);
    g_assert_cmpstr(device->key, ==, key);
    g_assert_cmpstr(device->incarnation, ==, incarnation);
}

static void
a_disk_is_known_by_its_serial(void)
{
    g_autoptr(Devices) devices = devices_read(running);

    g_assert_cmpuint(devices->disks->len, ==, 3);
    assert_device(devices->disks, 0, "vda", "8a1c0f0e-3a55-4f0e-9", "4");
}

static void
a_disk_without_a_serial_of_its_own_is_known_by_its_target(void)
{
    g_autoptr(Devices) devices = devices_read(running);

    assert_device(devices->disks, 1, "vdb", "vdb", "1");
    assert_device(devices->disks, 2, "vdc", "vdc", "2");
}

static void
a_nic_is_known_by_its_mac_and_one_of_user_mode_is_not_counted(void)
{
    g_autoptr(Devices) devices = devices_read(running);

    g_assert_cmpuint(devices->nics->len, ==, 1);
    assert_device(devices->nics, 0, "vnet7", "52:54:00:00:00:01", "vnet7");
}

static void
what_is_no_domain_has_no_devices(void)
{
    g_assert_null(devices_read(""));
    g_assert_null(devices_read("<domain>"));
    g_assert_null(devices_read("<domain/>"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/devices/a-disk-is-known-by-its-serial",
                    a_disk_is_known_by_its_serial);
    g_test_add_func("/devices/a-disk-without-a-serial-of-its-own-is-known-by-its-target",
                    a_disk_without_a_serial_of_its_own_is_known_by_its_target);
    g_test_add_func(
        "/devices/a-nic-is-known-by-its-mac-and-one-of-user-mode-is-not-counted",
        a_nic_is_known_by_its_mac_and_one_of_user_mode_is_not_counted);
    g_test_add_func("/devices/what-is-no-domain-has-no-devices",
                    what_is_no_domain_has_no_devices);
    return g_test_run();
}
