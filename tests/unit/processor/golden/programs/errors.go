// SPDX-License-Identifier: Apache-2.0

// Prints the stack trace of one case (os.Args[1]): debug.Stack, a panic's own output (on standard error), pkg/errors' %+v
// or what OpenTelemetry's RecordError records.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	pkgerrors "github.com/pkg/errors"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

type cart struct{ items []int }

func (c *cart) total(show func()) int {
	show()
	return len(c.items)
}

func (c cart) item(i int) int { return c.items[i] }

type box[T any] struct{ value T }

func (b *box[T]) open(show func(T)) { show(b.value) }

func each[T any](list []T, f func(T)) {
	for _, x := range list {
		f(x)
	}
}

func stackNow() { os.Stdout.Write(debug.Stack()) }

func recovered() {
	defer func() {
		if r := recover(); r != nil {
			os.Stdout.Write(debug.Stack())
		}
	}()
	cart{}.item(3)
}

func record(option ...trace.EventOption) {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	_, span := provider.Tracer("shop").Start(context.Background(), "pay")
	func() {
		defer func() { recover() }()
		defer span.End(trace.WithStackTrace(true))
		if len(option) == 0 {
			cart{}.item(5)
		}
		span.RecordError(errors.New("no stock"), option...)
	}()
	for _, event := range exporter.GetSpans()[0].Events {
		for _, kv := range event.Attributes {
			if kv.Key == attribute.Key("exception.stacktrace") {
				fmt.Print(kv.Value.AsString())
			}
		}
	}
}

func query() error { return pkgerrors.New("connection refused") }
func load() error  { return pkgerrors.Wrap(query(), "load cart") }
func inGoroutine() { done := make(chan bool); go func() { cart{}.item(1); done <- true }(); <-done }
func rethrow() {
	defer func() {
		r := recover()
		panic(fmt.Sprintf("again: %v", r))
	}()
	panic(errors.New("first\nline two"))
}

func deep(n int) int {
	if n == 0 {
		stackNow()
		return 0
	}
	return deep(n-1) + 1
}

func main() {
	switch os.Args[1] {
	case "stack":
		(&cart{}).total(stackNow)
	case "generic":
		each([]string{"a"}, func(s string) { (&box[string]{s}).open(func(string) { stackNow() }) })
	case "recovered":
		recovered()
	case "record":
		record(trace.WithStackTrace(true))
	case "record_panic":
		record()
	case "pkgerrors":
		fmt.Printf("%+v\n", load())
	case "panic":
		cart{}.item(2)
	case "panic_goroutine":
		inGoroutine()
	case "repanic":
		rethrow()
	case "nil":
		var c *cart
		c.total(func() { _ = c.items[0] })
	case "deep":
		deep(120)
	case "deadlock":
		<-make(chan int)
	}
}
