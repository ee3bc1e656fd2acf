// SPDX-License-Identifier: Apache-2.0

// Package orders prices carts, but not every cart.
package orders

import (
	"errors"
	"fmt"
)

type UnknownItem struct{ Item string }

func (e *UnknownItem) Error() string { return "nothing is known of " + e.Item }

type Cart struct{ prices map[string]int }

func NewCart() *Cart { return &Cart{prices: map[string]int{"tea": 3}} }

// Close always fails.
func (c *Cart) Close() error { return errors.New("the cart is not empty") }

// Price answers with an error of its own type.
func (c *Cart) Price(item string) (int, error) {
	price, known := c.prices[item]
	if !known {
		return 0, &UnknownItem{item}
	}
	return price, nil
}

// Total wraps it.
func (c *Cart) Total(items ...string) (int, error) {
	total := 0
	for _, item := range items {
		price, err := c.Price(item)
		if err != nil {
			return 0, fmt.Errorf("total of %d items: %w", len(items), err)
		}
		total += price
	}
	return total, nil
}

// MustTotal panics.
func (c *Cart) MustTotal(items ...string) int {
	total, err := c.Total(items...)
	if err != nil {
		panic(errors.Unwrap(err))
	}
	return total
}
