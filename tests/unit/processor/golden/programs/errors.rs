// SPDX-License-Identifier: Apache-2.0
// RUST_BACKTRACE=1: panics, or prints std::backtrace::Backtrace, as the case (argument 1) says.
use std::backtrace::Backtrace;

mod cart {
    pub struct Cart {
        pub items: Vec<i32>,
    }
    impl Cart {
        #[inline(never)]
        pub fn item(&self, i: usize) -> i32 {
            self.items[i]
        }
        #[inline(never)]
        pub fn captured(&self) -> String {
            super::Backtrace::force_capture().to_string()
        }
    }
    pub trait Price {
        fn price(&self) -> i32;
    }
    impl Price for Cart {
        #[inline(never)]
        fn price(&self) -> i32 {
            let f = |x: Option<i32>| x.expect("no price\nsecond line");
            f(None)
        }
    }
}

use cart::Price;

fn main() {
    let cart = cart::Cart { items: vec![] };
    match std::env::args().nth(1).as_deref() {
        Some("index") => println!("{}", cart.item(3)),
        Some("expect") => println!("{}", cart.price()),
        Some("captured") => print!("{}", cart.captured()),
        Some("thread") => {
            let _ = std::thread::Builder::new()
                .name("worker".into())
                .spawn(move || cart.item(1))
                .unwrap()
                .join();
        }
        _ => {}
    }
}
