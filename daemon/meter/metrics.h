/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/controller.h"
#include "meter/http.h"
#include "meter/openmetrics.h"
#include "meter/report/text-reply.h"
#include "meter/store.h"
#include "meter/view.h"
#include "meter/watch.h"

/**
 * The page /metrics: what was used, and how metering itself fares.  What is told of usage
 * is a total of the ledger's, so that no restart of anything makes it smaller.
 *
 * A page is as of one row of the ledger, and is made family by family in short turns. It
 * holds what is live, and no more of the ledger; a few may be made at once.
 */
typedef struct Metrics Metrics;

/** All must outlive it; what knows vmd may be given later, before the first page. */
Metrics *metrics_new(MeterStore *store);
void metrics_set_sources(Metrics *metrics, Controller *controller, Watch *watch);
void metrics_free(Metrics *metrics);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Metrics, metrics_free)

/** The page; metrics must outlive who serves it. */
HttpPage metrics_get_page(Metrics *metrics);

/** What of the page follows from view, which it takes over, alone: of tenant, or of all
 * if that is NULL.  Who may see what was decided before. */
TextSource metrics_report_new(View *view, const char *tenant, bool shows_hosts);

/** The families of the page in its order, one at a time; NULL after the last. */
const MetricFamily *metrics_get_family(gsize number);
