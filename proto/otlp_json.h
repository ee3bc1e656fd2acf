// SPDX-License-Identifier: Apache-2.0
//
// OTLP/JSON to the protobuf wire form (OTLP 1.11 "JSON Protobuf Encoding"; rules J1 to J7): ids are hex of either case,
// enums are integers (names are accepted too), 64-bit integers are strings or numbers, unknown and snake_case keys are
// ignored, duplicate keys: the last one wins. No recursion on input. One parser, one thread.
#ifndef PROTO_OTLP_JSON_H
#define PROTO_OTLP_JSON_H

#include "base/buffer.h"
#include "base/json.h"
#include "proto/otlp_scan.h"

// Appends the wire form of an Export{Trace,Logs,Metrics}ServiceRequest to `out`. STATUS_INVALID names the JSON path
// ("resourceSpans[0].scopeSpans[0].spans[3].traceId: not hexadecimal"), STATUS_TOO_LARGE when `out` or the parser is
// full. Ids of a wrong length are passed on as they are, so that the scan can reject one item (partial success) instead
// of all.
enum status otlp_json_to_wire(enum otlp_signal signal, struct json_parser *parser, struct slice text,
                              struct buffer *out, struct error *error);

#endif
