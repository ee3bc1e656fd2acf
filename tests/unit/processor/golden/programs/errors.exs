# SPDX-License-Identifier: Apache-2.0
# Prints one case (the first argument) with Exception.format, or ("erlang" behind it) the stack trace as an Erlang term.
defmodule Shop.PaymentError do
  defexception message: "cannot pay"
end

defmodule Shop.Cart do
  def total(items), do: Enum.map(items, fn item -> item.price + 1 end) |> Enum.sum() |> Kernel.+(0)
  def pay(_), do: raise(Shop.PaymentError, message: "first line\nsecond line")
  def arity(x), do: {String.to_integer(x), :done}
  def call(pid), do: {GenServer.call(pid, :price, 10), :done}
end

run = fn
  "simple" -> Shop.Cart.total([%{}])
  "multiline" -> {Shop.Cart.pay(1), :done}
  "arity" -> Shop.Cart.arity("x")
  "exit" -> Shop.Cart.call(self())
end

[name | form] = System.argv()

try do
  run.(name)
catch
  kind, reason ->
    case form do
      [] -> IO.puts(Exception.format(kind, reason, __STACKTRACE__))
      ["erlang"] -> :io.format("~p~n", [__STACKTRACE__])
    end
end
