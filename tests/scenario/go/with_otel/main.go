// SPDX-License-Identifier: Apache-2.0

// usage: with_otel ITEM   Fails in the same three ways, reported by OpenTelemetry's SDK, which OTEL_… variables
// configure.
package main

import (
	"context"
	"os"

	"culprit.example/same_error/orders"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var tracer trace.Tracer

func start(name string) trace.Span {
	_, span := tracer.Start(context.Background(), name)
	return span
}

func plain(cart *orders.Cart) {
	span := start("plain")
	defer span.End()
	if err := cart.Close(); err != nil {
		span.RecordError(err, trace.WithStackTrace(true))
	}
}

func wrapped(cart *orders.Cart, item string) {
	span := start("wrapped")
	defer span.End()
	if _, err := cart.Total("tea", item); err != nil {
		span.RecordError(err, trace.WithStackTrace(true))
	}
}

func panicking(cart *orders.Cart, item string) {
	defer func() { _ = recover() }() // End records what it sees and panics again
	span := start("panicking")
	defer span.End(trace.WithStackTrace(true))
	cart.MustTotal("tea", item)
}

func main() {
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		panic(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	tracer = provider.Tracer("same_error")
	cart, item := orders.NewCart(), os.Args[1]
	plain(cart)
	wrapped(cart, item)
	panicking(cart, item)
}
