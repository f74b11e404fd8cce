/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/ask.h"

/* The handlers of io.vmctl.Billing that have files of their own; rpc.c has their table.
 */
void meter_usage(WireCall *call, const ProtoBillingUsageCall *in);
void meter_set_card(WireCall *call, const ProtoBillingSetCardCall *in);
void meter_list_cards(WireCall *call, const ProtoBillingListCardsCall *in);
void meter_get_card(WireCall *call, const ProtoBillingGetCardCall *in);
void meter_assign(WireCall *call, const ProtoBillingAssignCall *in);
void meter_quote(WireCall *call, const ProtoBillingQuoteCall *in);
void meter_report(WireCall *call, const ProtoBillingReportCall *in);
void meter_list_periods(WireCall *call, const ProtoBillingListPeriodsCall *in);
void meter_close_period(WireCall *call, const ProtoBillingClosePeriodCall *in);
void meter_recover(WireCall *call, const ProtoBillingRecoverCall *in);
void meter_correct(WireCall *call, const ProtoBillingCorrectCall *in);
void meter_export_ledger(WireCall *call, const ProtoBillingExportLedgerCall *in);
void meter_explain(WireCall *call, const ProtoBillingExplainCall *in);
void meter_verify(WireCall *call, const ProtoBillingVerifyCall *in);
