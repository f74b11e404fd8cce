/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/config.h"

#include <stddef.h>
#include <string.h>

#include "build-config.h"

typedef enum {
    CONFIG_TEXT,
    CONFIG_COUNT,
    /** Bytes, written with a suffix: 512M, 8G, 2T. */
    CONFIG_SIZE,
    /** "KEY=VALUE KEY=VALUE" */
    CONFIG_LABELS,
    /** A word of a few. */
    CONFIG_CHOICE,
} ConfigKind;

typedef struct {
    const char *group;
    const char *key;
    ConfigKind kind;
    gsize offset;
    const char *value;
    /** The default of a user's own service; NULL: the same. */
    const char *session;
    gint64 minimum;
    gint64 maximum;
    const char *meaning;
    /** The words of a choice: "one|two". */
    const char *choices;
} ConfigKey;

#define TEXT(group, key, member, value, session, meaning)                                \
    {                                                                                    \
        group, key, CONFIG_TEXT, offsetof(Config, member), value, session, 0, 0, meaning \
    }
#define COUNT(group, key, member, value, minimum, maximum, meaning)                      \
    {                                                                                    \
        group, key, CONFIG_COUNT, offsetof(Config, member), value, NULL, minimum,        \
            maximum, meaning                                                             \
    }
#define SIZE(group, key, member, value, minimum, meaning)                                \
    {                                                                                    \
        group, key, CONFIG_SIZE, offsetof(Config, member), value, NULL, minimum,         \
            G_MAXINT64, meaning                                                          \
    }
#define CHOICE(group, key, member, value, choices, meaning)                              \
    {                                                                                    \
        group, key, CONFIG_CHOICE, offsetof(Config, member), value, NULL, 0, 0, meaning, \
            choices                                                                      \
    }
#define LABELS(group, key, member, meaning)                                              \
    {                                                                                    \
        group, key, CONFIG_LABELS, offsetof(Config, member), "", NULL, 0, 0, meaning     \
    }

/* clang-format off */
static const ConfigKey keys[] = {
    TEXT("daemon", "state_dir", state_dir, "/var/lib/vmd", "$XDG_STATE_HOME/vmd", "Where the database lies."),
    TEXT("daemon", "run_dir", run_dir, "/run/vmd", "$XDG_RUNTIME_DIR/vmd", "Where the sockets vmd.sock and meter.sock lie."),
    TEXT("daemon", "socket_group", socket_group, "", NULL, "The group that may connect, besides root; empty: everybody may, each as its own tenant."),
    TEXT("daemon", "admin_group", admin_group, "vmd-admin", NULL, "Members of this group are admins, as root is."),
    TEXT("daemon", "reader_group", reader_group, "vmd-reader", NULL, "Members of this group see what admins see, and change nothing: vmd-meter, where it is not started by vmd."),
    TEXT("daemon", "accountant_group", accountant_group, "vmd-meter", NULL, "Members of this group add entries of the books to the ledger: vmd-meter, where it is not started by vmd."),
    TEXT("daemon", "meter", meter, VMCTL_LIBEXECDIR "/vmd-meter", NULL, "The metering program that vmd starts; empty: none."),
    COUNT("daemon", "operations_kept", operations_kept, "2000", 10, 1000000, "How many ended operations are kept."),
    COUNT("daemon", "operations_side_by_side", operations_side_by_side, "20", 1, 10000, "How many operations are at work at a time; the others wait, and tenants take turns. More than the hosts have connections makes them wait there, without turns."),
    COUNT("daemon", "backup_seconds", backup_seconds, "3600", 1, 86400, "How often the database is copied into state_dir/backups, while in use."),
    COUNT("daemon", "backups_kept", backups_kept, "24", 0, 10000, "How many of these copies are kept; 0: none are made."),

    COUNT("metering", "tick_seconds", tick_seconds, "60", 1, 3600, "How often the counters of what runs are read."),
    TEXT("metering", "anchor", anchor, "/var/lib/vmd-anchor/ledger", "$XDG_STATE_HOME/vmd-anchor/ledger", "A file, away from state_dir, that keeps where the ledger stood, so that a database put back to an older copy is found out; empty: none."),
    COUNT("metering", "grace_hours", grace_hours, "48", 0, 744, "How long after its end a month may be closed, where vmd starts vmd-meter: late facts are in it."),
    TEXT("metering", "operator", operator_name, "vmctl", NULL, "Who provides what is billed and sends the invoices, as FOCUS names it, where vmd starts vmd-meter."),
    COUNT("metering", "metrics_port", metrics_port, "0", 0, 65535, "The port of the loopback at which vmd-meter serves /metrics, to everybody on this machine, where vmd starts it; 0: none."),

    TEXT("host", "name", host.name, "local", NULL, "The host's name; of a host that has a group of its own, that of the group."),
    TEXT("host", "uri", host.uri, "qemu:///system", "qemu:///session", "The libvirt to use."),
    TEXT("host", "worker", host.worker, VMCTL_LIBEXECDIR "/vmd-host", NULL, "The program that talks to it; unix:PATH: the socket at which the service manager starts one."),
    TEXT("host", "worker_arguments", host.worker_arguments, "", NULL, "More arguments for that program, split as a shell does."),
    TEXT("host", "accel", host.accel, "auto", NULL, "auto, kvm or tcg. auto is KVM where libvirt and the processor both have it."),
    TEXT("host", "pool", host.pool, "vmd", NULL, "The libvirt storage pool; a directory pool is made if it is missing."),
    TEXT("host", "pool_path", host.pool_path, "/var/lib/vmd-pool", "$XDG_DATA_HOME/vmd-pool", "The folder of a pool that is made."),
    TEXT("host", "network", host.network, "vmd", NULL, "The libvirt network; a NAT network with DHCP is made if it is missing."),
    TEXT("host", "network_address", host.network_address, "192.168.150.1/24", NULL, "The address and prefix of a network that is made."),
    TEXT("host", "import_dir", host.import_dir, "/var/lib/vmd-import", "$XDG_DATA_HOME/vmd-import", "Where templates are imported from."),
    TEXT("host", "runs_dir", host.runs_dir, "/var/lib/vmd-host", "", "Where libvirt's hook writes down when guests began and ended to run while nobody looked; empty: nowhere."),
    COUNT("host", "connections", host.connections, "26", 8, 64, "Calls to the worker side by side."),
    COUNT("host", "cpu_percent", host.cpu_percent, "800", 1, 100000, "How much of the processors, beyond reserve_vcpus, is given away."),
    COUNT("host", "memory_percent", host.memory_percent, "100", 1, 100000, "How much of the memory, beyond reserve_memory, is given away."),
    COUNT("host", "disk_percent", host.disk_percent, "100", 1, 100000, "How much of the pool, beyond reserve_disk, is given away."),
    COUNT("host", "reserve_vcpus", host.reserve_vcpus, "0", 0, 100000, "Processors that are left to the host itself."),
    SIZE("host", "reserve_memory", host.reserve_memory, "0K", 0, "Memory that is left to it."),
    SIZE("host", "reserve_disk", host.reserve_disk, "0K", 0, "Room in the pool that is left to it."),
    TEXT("host", "placement_pool", host.placement_pool, "private", NULL, "The set of hosts that it belongs to, as vmctl create --pool asks for it."),
    LABELS("host", "labels", host.labels, "What it is told apart by, as KEY=VALUE KEY=VALUE: rack=a1 zone=north."),

    CHOICE("placement", "strategy", placement_strategy, "spread", "spread|pack", "Which of the hosts that can take an instance does: spread is the least loaded, pack the most loaded."),

    TEXT("template", "default", template_default, "tiny", NULL, "What an instance is made from that names no template."),
    COUNT("headroom", "vcpus", headroom_vcpus, "8", 1, 256, "Every instance can grow to at least so many without a restart."),
    SIZE("headroom", "memory", headroom_memory, "8G", 1, "The same for its memory."),

    COUNT("group", "failures", group_failures, "3", 1, 1000, "So many failures in a row stop a group from making members for a while."),
    COUNT("group", "backoff_seconds", group_backoff_seconds, "30", 1, 86400, "How long the first time; then one member is tried, and if that fails it is twice as long."),
    COUNT("group", "backoff_max_seconds", group_backoff_max_seconds, "1800", 1, 86400, "How long at most."),
    COUNT("group", "proof_seconds", group_proof_seconds, "30", 1, 86400, "How long a member has to run for earlier failures to be forgotten."),
    COUNT("group", "dead_seconds", group_dead_seconds, "10", 0, 86400, "How long a member may be in error, or off by itself, before it is replaced."),

    COUNT("quota", "instances", quota_instances, "100", 0, 1000000, "Instances of a tenant that has no quota of its own."),
    COUNT("quota", "vcpus", quota_vcpus, "400", 0, 100000000, "Its virtual CPUs."),
    SIZE("quota", "memory", quota_memory, "1T", 1, "Its memory."),
    SIZE("quota", "disk", quota_disk, "100T", 1, "Its disks."),
    COUNT("quota", "addresses", quota_addresses, "100000", 0, 1000000, "Its addresses: each instance has one."),
    COUNT("quota", "groups", quota_groups, "500", 0, 1000000, "Its groups."),
    COUNT("quota", "operations", quota_operations, "10000", 0, 1000000, "Its operations under way."),
    COUNT("quota", "requests", quota_requests, "100000", 1, 1000000, "Its requests in a second; those of admins are not counted."),
};

/* clang-format on */

/* Resolves a leading $XDG_…; the variable's own default where it is not set. */
static char *
expand(const char *value)
{
    static const struct {
        const char *variable;
        const char *(*get)(void);
    } folders[] = {
        { "$XDG_RUNTIME_DIR", g_get_user_runtime_dir },
        { "$XDG_STATE_HOME", g_get_user_state_dir },
        { "$XDG_DATA_HOME", g_get_user_data_dir },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
        if (g_str_has_prefix(value, folders[i].variable))
            return g_strconcat(folders[i].get(), value + strlen(folders[i].variable),
                               NULL);
    }
    return g_strdup(value);
}

static bool
parse_size(const char *text, gint64 *ret_bytes)
{
    static const char suffixes[] = "KMGT";
    char *end = NULL;
    guint64 number = g_ascii_strtoull(text, &end, 10);
    const char *suffix = *end != '\0' ? strchr(suffixes, *end) : NULL;
    gint64 bytes = 0;

    if (!g_ascii_isdigit(*text) || suffix == NULL || end[1] != '\0' ||
        number > G_MAXINT32)
        return false;
    bytes = (gint64) number;
    for (const char *step = suffixes; step <= suffix; step++) {
        if (__builtin_mul_overflow(bytes, 1024, &bytes))
            return false;
    }
    *ret_bytes = bytes;
    return true;
}

static bool
parse_number(const ConfigKey *key, const char *text, gint64 *ret_number)
{
    gint64 number = 0;

    if (key->kind == CONFIG_SIZE) {
        if (!parse_size(text, &number))
            return false;
    } else if (!g_ascii_string_to_signed(text, 10, key->minimum, key->maximum, &number,
                                         NULL)) {
        return false;
    }
    *ret_number = number;
    return number >= key->minimum && number <= key->maximum;
}

char **
config_parse_labels(const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
    g_autoptr(GStrvBuilder) labels = g_strv_builder_new();

    for (gsize i = 0; words[i] != NULL; i++) {
        g_auto(GStrv) parts = g_strsplit(words[i], "=", 2);

        if (*words[i] == '\0')
            continue;
        if (g_strv_length(parts) != 2 || *parts[0] == '\0' || *parts[1] == '\0')
            return NULL;
        g_strv_builder_add_many(labels, parts[0], parts[1], NULL);
    }
    return g_strv_builder_end(labels);
}

static bool
is_text(const ConfigKey *key)
{
    return key->kind == CONFIG_TEXT || key->kind == CONFIG_LABELS ||
           key->kind == CONFIG_CHOICE;
}

static bool
set_member(gpointer member, const ConfigKey *key, const char *text)
{
    g_auto(GStrv) labels = key->kind == CONFIG_LABELS ? config_parse_labels(text) : NULL;
    g_auto(GStrv) words =
        key->kind == CONFIG_CHOICE ? g_strsplit(key->choices, "|", -1) : NULL;

    if (key->kind == CONFIG_LABELS && labels == NULL)
        return false;
    if (words != NULL && !g_strv_contains((const char *const *) words, text))
        return false;
    if (!is_text(key))
        return parse_number(key, text, member);
    g_free(*(char **) member);
    *(char **) member = expand(text);
    return true;
}

static void
refuse_value(const char *group, const ConfigKey *key, const char *text, GError **error)
{
    static const char *const wanted[] = {
        [CONFIG_TEXT] = "a text",
        [CONFIG_COUNT] = "a whole number within its bounds",
        [CONFIG_SIZE] = "a size such as 512M or 8G",
        [CONFIG_LABELS] = "labels such as rack=a1 zone=north",
        [CONFIG_CHOICE] = "one of ",
    };

    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                "[%s] %s: \"%s\" is not %s%s", group, key->key, text, wanted[key->kind],
                key->choices != NULL ? key->choices : "");
}

/* The hosts' groups */

static const char host_group[] = "host";

/** What a group [host NAME] says. */
typedef struct {
    char *name;
    /** const ConfigKey to text. */
    GHashTable *settings;
} NamedHost;

static void
named_host_free(NamedHost *named)
{
    g_hash_table_unref(named->settings);
    g_free(named->name);
    g_free(named);
}

static gpointer
get_host_member(HostConfig *host, const ConfigKey *key)
{
    return (char *) host + (key->offset - offsetof(Config, host));
}

static bool
is_of_host(const ConfigKey *key)
{
    return strcmp(key->group, host_group) == 0;
}

void
host_config_free(HostConfig *host)
{
    if (host == NULL)
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (is_of_host(&keys[i]) && is_text(&keys[i]))
            g_free(*(char **) get_host_member(host, &keys[i]));
    }
    g_free(host);
}

static HostConfig *
host_config_copy(const HostConfig *host)
{
    HostConfig *copy = g_memdup2(host, sizeof *host);

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        char **member = is_of_host(&keys[i]) && is_text(&keys[i])
                            ? get_host_member(copy, &keys[i])
                            : NULL;

        if (member != NULL)
            *member = g_strdup(*member);
    }
    return copy;
}

/* "host NAME": the NAME; NULL if it is another group. */
static const char *
get_host_name(const char *group)
{
    static const char prefix[] = "host ";

    return g_str_has_prefix(group, prefix) ? group + strlen(prefix) : NULL;
}

static bool
is_host_name(const char *name)
{
    enum {
        NAME_MAX_BYTES = 63
    };

    gsize length = strlen(name);

    return length > 0 && length <= NAME_MAX_BYTES && g_ascii_islower(*name) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static NamedHost *
ensure_named_host(Config *config, const char *name)
{
    NamedHost *named = NULL;

    for (guint i = 0; i < config->named_hosts->len; i++) {
        named = config->named_hosts->pdata[i];
        if (strcmp(named->name, name) == 0)
            return named;
    }
    named = g_new0(NamedHost, 1);
    named->name = g_strdup(name);
    named->settings = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_ptr_array_add(config->named_hosts, named);
    return named;
}

static bool
set_value(Config *config,
          const char *group,
          const ConfigKey *key,
          const char *text,
          GError **error)
{
    const char *name = get_host_name(group);
    g_autoptr(HostConfig) trial = name != NULL ? host_config_copy(&config->host) : NULL;
    gpointer member =
        name != NULL ? get_host_member(trial, key) : (char *) config + key->offset;

    if (!set_member(member, key, text)) {
        refuse_value(group, key, text, error);
        return false;
    }
    if (name != NULL)
        g_hash_table_insert(ensure_named_host(config, name)->settings,
                            (gpointer) (gsize) key, g_strdup(text));
    return true;
}

Config *
config_new(bool session)
{
    Config *config = g_new0(Config, 1);

    config->named_hosts =
        g_ptr_array_new_with_free_func((GDestroyNotify) named_host_free);
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *value =
            session && keys[i].session != NULL ? keys[i].session : keys[i].value;

        set_value(config, keys[i].group, &keys[i], value, NULL);
    }
    return config;
}

/* A host that has a group of its own is called as that is. */
static const ConfigKey *
find_key(const char *group, const char *name)
{
    bool is_named = get_host_name(group) != NULL;

    if (is_named && strcmp(name, "name") == 0)
        return NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(keys[i].group, is_named ? host_group : group) == 0 &&
            strcmp(keys[i].key, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static bool
read_group(Config *config, GKeyFile *file, const char *group, GError **error)
{
    g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, error);
    const char *host = get_host_name(group);

    if (host != NULL && !is_host_name(host)) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                    "[%s]: \"%s\" is not a name: small letters, digits and dashes", group,
                    host);
        return false;
    }
    if (host != NULL)
        ensure_named_host(config, host);
    for (gsize i = 0; names != NULL && names[i] != NULL; i++) {
        const ConfigKey *key = find_key(group, names[i]);
        g_autofree char *value = NULL;

        if (key == NULL) {
            g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                        "[%s] %s: there is no such key", group, names[i]);
            return false;
        }
        value = g_key_file_get_string(file, group, names[i], error);
        if (value == NULL || !set_value(config, group, key, value, error))
            return false;
    }
    return names != NULL;
}

bool
config_read(Config *config, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_auto(GStrv) groups = NULL;

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    groups = g_key_file_get_groups(file, NULL);
    for (gsize i = 0; groups[i] != NULL; i++) {
        if (!read_group(config, file, groups[i], error)) {
            g_prefix_error(error, "%s: ", path);
            return false;
        }
    }
    return true;
}

bool
config_set(Config *config, const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    g_auto(GStrv) names = g_strsplit(parts[0] != NULL ? parts[0] : "", ".", 2);
    const ConfigKey *key =
        g_strv_length(names) == 2 ? find_key(names[0], names[1]) : NULL;

    if (key == NULL || g_strv_length(parts) != 2 ||
        (get_host_name(names[0]) != NULL && !is_host_name(get_host_name(names[0])))) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                    "\"%s\": there is no such key; GROUP.KEY=VALUE is wanted", text);
        return false;
    }
    return set_value(config, names[0], key, parts[1], error);
}

/* The hosts */

static HostConfig *
make_host(const Config *config, const NamedHost *named)
{
    HostConfig *host = host_config_copy(&config->host);
    GHashTableIter iter;
    gpointer key = NULL;
    gpointer text = NULL;

    g_free(host->name);
    host->name = g_strdup(named->name);
    g_hash_table_iter_init(&iter, named->settings);
    while (g_hash_table_iter_next(&iter, &key, &text)) {
        set_member(get_host_member(host, key), key, text);
    }
    return host;
}

static int
compare_hosts(gconstpointer a, gconstpointer b)
{
    return strcmp((*(HostConfig *const *) a)->name, (*(HostConfig *const *) b)->name);
}

static bool
check_apart(const HostConfig *first, const HostConfig *second, GError **error)
{
    bool same_worker = g_str_has_prefix(first->worker, "unix:") &&
                       strcmp(first->worker, second->worker) == 0;

    if (strcmp(first->uri, second->uri) != 0 && !same_worker)
        return true;
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                "[host %s] %s: it is that of [host %s] too: two hosts would be one",
                second->name, same_worker ? "worker" : "uri", first->name);
    return false;
}

GPtrArray *
config_get_hosts(const Config *config, GError **error)
{
    g_autoptr(GPtrArray) hosts =
        g_ptr_array_new_with_free_func((GDestroyNotify) host_config_free);

    for (guint i = 0; i < config->named_hosts->len; i++) {
        g_ptr_array_add(hosts, make_host(config, config->named_hosts->pdata[i]));
    }
    if (hosts->len == 0)
        g_ptr_array_add(hosts, host_config_copy(&config->host));
    g_ptr_array_sort(hosts, compare_hosts);
    for (guint i = 0; i < hosts->len; i++) {
        for (guint j = i + 1; j < hosts->len; j++) {
            if (!check_apart(hosts->pdata[i], hosts->pdata[j], error))
                return NULL;
        }
    }
    return g_steal_pointer(&hosts);
}

HostConfig *
config_get_host(const Config *config, const char *name, GError **error)
{
    if (config->named_hosts->len == 0)
        return host_config_copy(&config->host);
    for (guint i = 0; i < config->named_hosts->len; i++) {
        const NamedHost *named = config->named_hosts->pdata[i];

        if (g_strcmp0(named->name, name) == 0)
            return make_host(config, named);
    }
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
                "There is no group [host %s]", name != NULL ? name : "NAME");
    return NULL;
}

Config *
config_load(const char *path, bool session, GError **error)
{
    static const char standard[] = VMCTL_SYSCONFDIR "/vmd/vmd.conf";
    g_autoptr(Config) config = config_new(session);

    if (path == NULL && !session && g_file_test(standard, G_FILE_TEST_EXISTS))
        path = standard;
    if (path != NULL && !config_read(config, path, error))
        return NULL;
    return g_steal_pointer(&config);
}

void
config_free(Config *config)
{
    if (config == NULL)
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (is_text(&keys[i]))
            g_free(*(char **) (gpointer) ((char *) config + keys[i].offset));
    }
    g_ptr_array_unref(config->named_hosts);
    g_free(config);
}

char *
config_describe(void)
{
    GString *out = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_string_append_printf(out, "%s\t%s\t%s\t%s\n", keys[i].group, keys[i].key,
                               keys[i].value, keys[i].meaning);
    }
    return g_string_free(out, FALSE);
}
