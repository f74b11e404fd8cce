/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/runs.h"

#include <string.h>

#include "base/clock.h"

/*
 * How it works
 *
 * Every begin and every end of a run opens a segment, whose beginning on both clocks is
 * the moment up to which the instance's runs are known: what was written down after that
 * is news, and once it is booked it is news no more.
 *
 * On the machine that vmd runs on, a moment is counted from the segment's beginning on
 * the clock that runs since boot: a step of the wall clock in between moves nothing.
 * Elsewhere, and after a reboot, the host's wall clock is taken.
 */

static const ProtoOpenSegment *
find_open(const Instance *instance)
{
    return ledger_find_open(&instance->record, RESOURCE_KIND_INSTANCE);
}

/* Moments */

/* A time of the ledger within a segment, where the clock that runs since boot is not
 * known to have stood: no more time has gone by than it says. */
static LedgerMoment
make_moment(const Instance *instance, const ProtoOpenSegment *open, gint64 at_ms)
{
    LedgerMoment now = ledger_now(instance->book->store);
    gint64 boot_ms = now.boot_ms - MAX(now.at_ms - at_ms, 0);

    at_ms = MIN(at_ms, now.at_ms);
    if (strcmp(open->boot_id, clock_boot_id()) == 0) {
        at_ms = MIN(at_ms, open->from_ms + now.boot_ms - open->boot_ms);
        boot_ms = MAX(boot_ms, open->boot_ms + at_ms - open->from_ms);
    }
    return (LedgerMoment){ at_ms, boot_ms, 0 };
}

/* A time since boot, after the beginning of a segment of this boot or an older one. */
static LedgerMoment
make_boot_moment(const Instance *instance, const ProtoOpenSegment *open, gint64 boot_ms)
{
    LedgerMoment now = ledger_now(instance->book->store);
    bool is_same_boot = strcmp(open->boot_id, clock_boot_id()) == 0;
    gint64 at_ms = is_same_boot ? open->from_ms + boot_ms - open->boot_ms
                                : now.at_ms - now.boot_ms + boot_ms;

    return (LedgerMoment){ MIN(at_ms, now.at_ms), boot_ms, 0 };
}

/* Up to where the instance is known to have been on in the segment: it was read, or
 * something is booked. */
static gint64
get_booked_ms(const Instance *instance, const ProtoOpenSegment *open)
{
    if (instance->readings.segment != open->seq)
        return open->from_ms;
    return instance->readings.known_ms;
}

/* When a run that was written down began or ended, if that is after what is known. */
static bool
is_after(const Instance *instance,
         const ProtoOpenSegment *open,
         const ProtoRun *run,
         LedgerMoment *ret_moment)
{
    if (strcmp(run->boot_id, open->boot_id) == 0) {
        if (run->boot_ms <= open->boot_ms)
            return false;
        *ret_moment = make_boot_moment(instance, open, run->boot_ms);
        return true;
    }
    if (run->wall_ms <= MAX(open->from_ms, instance->run_wall_ms))
        return false;
    *ret_moment = make_moment(instance, open, run->wall_ms);
    return true;
}

LedgerMoment
runs_get_end(const Instance *instance)
{
    const ProtoOpenSegment *open = find_open(instance);
    LedgerMoment now = ledger_now(instance->book->store);
    LedgerMoment moment = now;

    if (open == NULL)
        return now;
    moment = make_moment(instance, open,
                         MAX(instance->seen_ms, get_booked_ms(instance, open)));
    moment.uncertain_ms = now.at_ms - moment.at_ms;
    return moment;
}

LedgerMoment
runs_get_start(const Instance *instance, const ProtoDomain *domain)
{
    const ProtoOpenSegment *open = find_open(instance);
    const ProtoEpoch *epoch = domain->epoch;
    gint64 start_ms = epoch != NULL ? (epoch->pid_start + 1) * CLOCK_TICK_MS : 0;

    if (open == NULL || epoch == NULL || open->state != BILLING_STATE_STOPPED ||
        strcmp(epoch->boot_id, clock_boot_id()) != 0 ||
        start_ms > ledger_now(instance->book->store).boot_ms)
        return ledger_now(instance->book->store);
    return make_boot_moment(instance, open, start_ms);
}

void
runs_mark_seen(Instance *instance)
{
    instance->seen_ms = store_ledger_now_ms(instance->book->store);
}

/* Following */

/* On is what the ledger has as on, also an instance that is being stopped. */
bool
runs_is_other_process(const Instance *instance, const ProtoEpoch *epoch)
{
    const ProtoOpenSegment *open = find_open(instance);

    if (open == NULL || open->state == BILLING_STATE_STOPPED ||
        strcmp(epoch->boot_id, clock_boot_id()) != 0)
        return false;
    return strcmp(open->boot_id, epoch->boot_id) != 0 ||
           epoch->pid_start * CLOCK_TICK_MS > open->boot_ms;
}

/* Not before what is booked: the two clocks are not read in the same instant. */
static void
end(Instance *instance, StoreTx *tx, const LedgerMoment *when, const char *cause)
{
    LedgerMoment moment = *when;
    gint64 booked_ms = get_booked_ms(instance, find_open(instance));

    moment.at_ms =
        MAX(when->at_ms, MIN(booked_ms, store_ledger_now_ms(instance->book->store)));
    moment.boot_ms += moment.at_ms - when->at_ms;
    instance_transition_at(instance, tx, LIFECYCLE_STOPS, &moment, NULL, cause);
}

static void
begin(Instance *instance, StoreTx *tx, const LedgerMoment *when)
{
    instance_transition_at(instance, tx, LIFECYCLE_RUNS, when, NULL, "seen-running");
}

/* Another run than that which is in the ledger began then: that one is over, nobody knows
 * since when. */
static void
replace(Instance *instance, StoreTx *tx, const LedgerMoment *when)
{
    LedgerMoment last = runs_get_end(instance);

    last.uncertain_ms = MAX(when->at_ms - last.at_ms, 0);
    /* While the ledger's time stands still, that since boot says more of it. */
    last.boot_ms = MIN(last.boot_ms, when->boot_ms - last.uncertain_ms);
    end(instance, tx, last.at_ms <= when->at_ms ? &last : when, "unseen");
    begin(instance, tx, when);
}

/* Whether the domain's process was there at that time since that boot, and may be what is
 * on its way out; also when there is nothing of it to be read any more. */
static bool
is_of_before(const ProtoDomain *domain, const char *boot_id, gint64 boot_ms)
{
    const ProtoEpoch *epoch = domain->epoch;

    if (epoch == NULL)
        return strcmp(boot_id, clock_boot_id()) == 0;
    return strcmp(epoch->boot_id, boot_id) == 0 &&
           epoch->pid_start * CLOCK_TICK_MS <= boot_ms;
}

/* A begin that is written down after its process was seen: the one that is on was there
 * when the segment began, and so no other has begun since. */
static bool
is_known_begin(const ProtoDomain *domain, const ProtoOpenSegment *open)
{
    return domain->epoch != NULL && is_of_before(domain, open->boot_id, open->boot_ms);
}

static void
follow_run(Instance *instance,
           StoreTx *tx,
           const ProtoDomain *domain,
           const ProtoRun *run)
{
    const ProtoOpenSegment *open = find_open(instance);
    LedgerMoment when = { 0 };

    if (open == NULL || !is_after(instance, open, run, &when))
        return;
    if (run->begins && instance_is_on(instance)) {
        if (!is_known_begin(domain, open))
            replace(instance, tx, &when);
    } else if (run->begins) {
        begin(instance, tx, &when);
    } else if (instance_is_on(instance)) {
        end(instance, tx, &when,
            domain->state == DOMAIN_STATE_CRASHED ? "crashed" : "stopped");
    }
    instance->run_wall_ms = MAX(instance->run_wall_ms, run->wall_ms);
}

static bool
is_active(const ProtoDomain *domain)
{
    return domain->state == DOMAIN_STATE_RUNNING || domain->state == DOMAIN_STATE_PAUSED;
}

/* The ledger has the instance as on, and the domain is on in another process. */
static bool
is_replaced(const Instance *instance, const ProtoDomain *domain)
{
    return is_active(domain) && domain->epoch != NULL &&
           runs_is_other_process(instance, domain->epoch);
}

bool
runs_is_doubtful(const Instance *instance, const ProtoDomain *domain)
{
    const ProtoOpenSegment *open = find_open(instance);

    return is_active(domain) && open != NULL &&
           instance->record.view.state == INSTANCE_STATE_STOPPED &&
           is_of_before(domain, open->boot_id, open->boot_ms);
}

static LedgerMoment
get_process_start(const Instance *instance, const ProtoEpoch *epoch)
{
    return make_boot_moment(instance, find_open(instance),
                            (epoch->pid_start + 1) * CLOCK_TICK_MS);
}

bool
runs_are_news(const Instance *instance, const ProtoDomain *domain)
{
    const ProtoOpenSegment *open = find_open(instance);
    LedgerMoment when = { 0 };

    for (gsize i = 0; open != NULL && i < domain->n_runs; i++) {
        if (is_after(instance, open, &domain->runs[i], &when) &&
            (domain->runs[i].begins || instance_is_on(instance)))
            return true;
    }
    return is_replaced(instance, domain);
}

bool
runs_have_ended(const ProtoDomain *domain)
{
    const ProtoRun *last = domain->n_runs > 0 ? &domain->runs[domain->n_runs - 1] : NULL;

    return is_active(domain) && last != NULL && !last->begins &&
           is_of_before(domain, last->boot_id, last->boot_ms);
}

void
runs_follow(Instance *instance, StoreTx *tx, const ProtoDomain *domain)
{
    for (gsize i = 0; i < domain->n_runs; i++) {
        follow_run(instance, tx, domain, &domain->runs[i]);
    }
    if (is_replaced(instance, domain)) {
        const LedgerMoment when = get_process_start(instance, domain->epoch);

        replace(instance, tx, &when);
    }
}
