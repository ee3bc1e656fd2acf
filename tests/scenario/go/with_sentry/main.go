// SPDX-License-Identifier: Apache-2.0

// usage: with_sentry ITEM   Fails in three ways, reported by Sentry's SDK, which SENTRY_DSN tells where to.
package main

import (
	"os"
	"time"

	"culprit.example/same_error/orders"
	"github.com/getsentry/sentry-go"
)

func plain(cart *orders.Cart) {
	if err := cart.Close(); err != nil {
		sentry.CaptureException(err)
	}
}

func wrapped(cart *orders.Cart, item string) {
	if _, err := cart.Total("tea", item); err != nil {
		sentry.CaptureException(err)
	}
}

func panicking(cart *orders.Cart, item string) {
	defer sentry.Recover()
	cart.MustTotal("tea", item)
}

func main() {
	if err := sentry.Init(sentry.ClientOptions{}); err != nil {
		panic(err)
	}
	defer sentry.Flush(10 * time.Second)
	cart, item := orders.NewCart(), os.Args[1]
	plain(cart)
	wrapped(cart, item)
	panicking(cart, item)
}
