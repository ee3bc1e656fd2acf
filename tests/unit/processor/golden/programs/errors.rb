# SPDX-License-Identifier: Apache-2.0
# Prints the full message of one case (ARGV[0]) without highlighting.
require 'json'

class PaymentError < StandardError; end

class Cart
  def total(items)
    items.map { |item| item[:price] + 1 }
  end

  def self.load
    new.total([{}])
  end
end

module Cases
  module_function

  def simple
    Cart.load
  end

  def multiline
    raise PaymentError, "first line\n  second: line\nlast"
  end

  def cause
    begin
      JSON.parse('{broken')
    rescue JSON::ParserError
      raise PaymentError, 'cannot read the cart'
    end
  end

  def nested
    [1].each do |_|
      [2].each { |_| -> { Integer('x') }.call }
    end
  end

  def evaluated
    eval("def in_eval; raise ArgumentError; end\nin_eval", binding, 'plugin.erb', 7)
  end

  def recursion(depth = 0)
    depth == 20 ? raise('deep') : recursion(depth + 1)
  end
end

begin
  Cases.public_send(ARGV[0])
rescue StandardError => error
  puts error.full_message(highlight: false, order: (ARGV[1] || 'top').to_sym)
end
