/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ledger/steps.h"

#include "base/clock.h"

enum {
    /* Less is how a clock is kept right, and how far apart two reads of it are. */
    STEP_MS = 100,
    /* How long the two clocks may drift apart before that is forgotten. */
    KEPT_MS = 60000,
    MS_PER_SECOND = 1000
};

void
ledger_clock_set(LedgerClock *clock, gint64 wall_ms, gint64 boot_ms)
{
    clock->wall_ms = wall_ms;
    clock->boot_ms = boot_ms;
}

bool
ledger_clock_has_stepped(LedgerClock *clock, gint64 *ret_wall_ms)
{
    /* The boot clock after the wall clock: what passes between the reads is no step. */
    gint64 wall_ms = clock_wall_ms();
    gint64 boot_ms = clock_boot_ms();
    gint64 expected_ms = clock->wall_ms + boot_ms - clock->boot_ms;
    gint64 ahead_ms = wall_ms - expected_ms;
    bool stepped = ahead_ms > STEP_MS;

    if (stepped)
        *ret_wall_ms = expected_ms;
    if (stepped || ahead_ms < -STEP_MS || boot_ms - clock->boot_ms > KEPT_MS)
        ledger_clock_set(clock, wall_ms, boot_ms);
    return stepped;
}

gint64
ledger_clock_get_behind_ms(gint64 newest_ms)
{
    return MAX(newest_ms - clock_wall_ms(), 0);
}

void
ledger_clock_watch(LedgerClock *clock, gint64 newest_ms)
{
    gint64 behind_ms = ledger_clock_get_behind_ms(newest_ms);
    bool is_behind = behind_ms > STEP_MS;

    if (is_behind && !clock->is_behind)
        g_warning("The clock is %" G_GINT64_FORMAT
                  " s behind the ledger: no time is billed until it has caught up",
                  (behind_ms + MS_PER_SECOND - 1) / MS_PER_SECOND);
    if (!is_behind && clock->is_behind)
        g_message("The clock has caught up with the ledger");
    clock->is_behind = is_behind;
}
