/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "doctor/checks.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CONNECT_SECONDS = 3
};

static const char *const results[] = {
    [CHECK_OK] = "ok",
    [CHECK_WARN] = "warn",
    [CHECK_FAIL] = "fail",
};
G_STATIC_ASSERT(G_N_ELEMENTS(results) == CHECK_N);

const char *
check_result_to_string(CheckResult result)
{
    return results[result];
}

void
finding_free(Finding *finding)
{
    if (finding == NULL)
        return;
    g_free(finding->found);
    g_free(finding);
}

void
finding_add(GPtrArray *findings,
            const char *name,
            CheckResult result,
            const char *mend,
            const char *format,
            ...)
{
    Finding *finding = g_new0(Finding, 1);
    va_list arguments;

    va_start(arguments, format);
    *finding = (Finding){ .name = name,
                          .result = result,
                          .found = g_strdup_vprintf(format, arguments),
                          .mend = mend };
    va_end(arguments);
    g_ptr_array_add(findings, finding);
}

/* "vmx", "svm" or NULL. */
static const char *
find_flag(const char *root)
{
    g_autofree char *path = g_build_filename(root, "proc/cpuinfo", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) words = NULL;
    char *flags = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    flags = strstr(text, "\nflags");
    if (flags == NULL)
        return NULL;
    flags[1 + strcspn(flags + 1, "\n")] = '\0';
    words = g_strsplit_set(flags, " \t:", -1);
    if (g_strv_contains((const char *const *) words, "vmx"))
        return "vmx";
    return g_strv_contains((const char *const *) words, "svm") ? "svm" : NULL;
}

static void
check_processor(const char *root, GPtrArray *findings)
{
    const char *flag = find_flag(root);

    if (flag != NULL) {
        finding_add(findings, "processor", CHECK_OK, NULL, "has %s", flag);
    } else {
        finding_add(findings, "processor", CHECK_WARN,
                    "switch virtualisation on in the firmware, or nested virtualisation "
                    "on the host around this machine",
                    "has neither vmx nor svm: guests run under TCG, about ten times "
                    "slower");
    }
}

static gid_t
find_kvm_group(void)
{
    struct group group;
    struct group *found = NULL;
    char buffer[4096];

    if (getgrnam_r("kvm", &group, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return 0;
    return group.gr_gid;
}

/* What libvirt's QEMU, a member of the group kvm, may do with it. */
static bool
is_open_to_kvm(const struct stat *device)
{
    const mode_t group_bits = S_IRGRP | S_IWGRP;
    const mode_t other_bits = S_IROTH | S_IWOTH;
    gid_t kvm = find_kvm_group();

    return (device->st_mode & other_bits) == other_bits ||
           (kvm != 0 && device->st_gid == kvm &&
            (device->st_mode & group_bits) == group_bits);
}

static void
check_kvm(const char *root, GPtrArray *findings)
{
    g_autofree char *path = g_build_filename(root, "dev/kvm", NULL);
    const char *flag = find_flag(root);
    struct stat device;

    if (stat(path, &device) != 0) {
        if (flag == NULL) {
            finding_add(findings, "/dev/kvm", CHECK_OK, NULL, "is not there: TCG it is");
        } else {
            finding_add(findings, "/dev/kvm", CHECK_WARN, "modprobe kvm_intel or kvm_amd",
                        "is not there, though the processor has %s", flag);
        }
    } else if (!is_open_to_kvm(&device)) {
        finding_add(findings, "/dev/kvm", CHECK_FAIL,
                    "chgrp kvm /dev/kvm; chmod 660 /dev/kvm",
                    "has mode %04o and is not the group kvm's: libvirt probes QEMU anew "
                    "for 80 s at each create",
                    (guint) (device.st_mode & 07777));
    } else if (flag == NULL) {
        finding_add(findings, "/dev/kvm", CHECK_WARN,
                    "leave accel = auto or tcg in vmd.conf",
                    "opens, but the processor has no virtualisation: no guest boots on "
                    "it, so TCG is used");
    } else {
        finding_add(findings, "/dev/kvm", CHECK_OK, NULL, "is the group kvm's");
    }
}

static bool
exists(const char *root, const char *path)
{
    g_autofree char *whole = g_build_filename(root, path, NULL);

    return access(whole, F_OK) == 0;
}

static void
check_qemu(const char *root, GPtrArray *findings)
{
    if (exists(root, "usr/bin/qemu-system-x86_64")) {
        finding_add(findings, "qemu", CHECK_OK, NULL, "is installed");
    } else {
        finding_add(findings, "qemu", CHECK_FAIL, "apt-get install qemu-system-x86",
                    "is not installed");
    }
}

/* 0, or the errno of connecting. */
static int
try_connect(const char *root, const char *path)
{
    g_autofree char *whole = g_build_filename(root, path, NULL);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval bound = { .tv_sec = CONNECT_SECONDS };
    int fd = -1;
    int code = 0;

    if (g_strlcpy(address.sun_path, whole, sizeof address.sun_path) >=
        sizeof address.sun_path)
        return ENAMETOOLONG;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
    if (connect(fd, (struct sockaddr *) &address, sizeof address) != 0)
        code = errno;
    close(fd);
    return code;
}

typedef struct {
    const char *name;
    /** The daemon's sockets; one of them is enough. */
    const char *sockets[3];
    const char *program;
    const char *install;
    const char *start;
} LibvirtDaemon;

static const LibvirtDaemon libvirt_daemons[] = {
    { "libvirtd",
      { "run/libvirt/libvirt-sock", "run/libvirt/virtqemud-sock", NULL },
      "usr/sbin/libvirtd",
      "apt-get install libvirt-daemon-system",
      "systemctl start libvirtd, or without systemd: libvirtd -d" },
    { "virtlogd",
      { "run/libvirt/virtlogd-sock", NULL },
      "usr/sbin/virtlogd",
      "apt-get install libvirt-daemon-system",
      "systemctl start virtlogd, or without systemd: virtlogd -d" },
};

static void
check_daemon(const LibvirtDaemon *daemon, const char *root, GPtrArray *findings)
{
    int code = ENOENT;

    for (gsize i = 0; code != 0 && daemon->sockets[i] != NULL; i++) {
        int other = try_connect(root, daemon->sockets[i]);

        code = other != ENOENT ? other : code;
    }
    if (code == 0) {
        finding_add(findings, daemon->name, CHECK_OK, NULL, "takes connections");
    } else if (code == EACCES || code == EPERM) {
        finding_add(findings, daemon->name, CHECK_OK, NULL,
                    "is there; only root and the group libvirt may connect, which vmd's "
                    "worker does");
    } else if (!exists(root, daemon->program)) {
        finding_add(findings, daemon->name, CHECK_FAIL, daemon->install,
                    "is not installed");
    } else {
        finding_add(findings, daemon->name, CHECK_FAIL, daemon->start,
                    "takes no connections: %s", g_strerror(code));
    }
}

static void
check_log_folder(const char *root, GPtrArray *findings)
{
    if (exists(root, "var/log/libvirt")) {
        finding_add(findings, "console logs", CHECK_OK, NULL,
                    "/var/log/libvirt is there");
    } else {
        finding_add(findings, "console logs", CHECK_FAIL,
                    "mkdir -p /var/log/libvirt/qemu",
                    "/var/log/libvirt is missing: no guest with a console log starts");
    }
}

/* libvirt keeps a file NAME.xml as long as the network is up; others have other ends. */
static char *
list_networks(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GString) names = g_string_new(NULL);
    const char *file = NULL;

    while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_suffix(file, ".xml"))
            g_string_append_printf(names, "%s%.*s", names->len > 0 ? ", " : "",
                                   (int) strlen(file) - 4, file);
    }
    return g_string_free(g_steal_pointer(&names), FALSE);
}

static void
check_network(const char *root, GPtrArray *findings)
{
    g_autofree char *folder = g_build_filename(root, "run/libvirt/network", NULL);
    g_autofree char *names = list_networks(folder);

    if (*names != '\0') {
        finding_add(findings, "network", CHECK_OK, NULL, "up: %s", names);
    } else {
        finding_add(findings, "network", CHECK_WARN,
                    "start vmd, which makes its network (\"vmd\" unless vmd.conf names "
                    "another); then: virsh net-start vmd",
                    "no network of libvirt is up");
    }
}

void
checks_run(const char *root, GPtrArray *findings)
{
    check_processor(root, findings);
    check_kvm(root, findings);
    check_qemu(root, findings);
    for (gsize i = 0; i < G_N_ELEMENTS(libvirt_daemons); i++)
        check_daemon(&libvirt_daemons[i], root, findings);
    check_log_folder(root, findings);
    check_network(root, findings);
}
