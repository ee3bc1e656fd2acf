<?php
// SPDX-License-Identifier: Apache-2.0
// Prints one case ($argv[1]) as PHP does; with "otel" behind it in the form of OpenTelemetry's PHP SDK.
namespace Shop;

class PaymentError extends \Exception {}

class Cart
{
    public function total(array $items): int
    {
        return array_sum(array_map(fn ($item) => $this->price($item), $items));
    }

    private function price(?Item $item): int
    {
        throw new PaymentError("no price", 7);
    }

    public static function load(): int
    {
        return (new self())->total([null]);
    }
}

function simple()
{
    Cart::load();
}

function multiline()
{
    throw new PaymentError("first line\n#1 second: line\nlast");
}

function cause()
{
    try {
        Cart::load();
    } catch (PaymentError $error) {
        throw new \RuntimeException("cannot pay", 0, new \LogicException("middle", 0, $error));
    }
}

function type_error()
{
    strlen([]);
}

function anonymous()
{
    $object = new class {
        public function run()
        {
            $f = function (string $why) {
                throw new \DomainException($why);
            };
            $f('from a closure (with) brackets');
        }
    };
    $object->run();
}

// What OpenTelemetry's StackTraceFormatter prints.
function java_style(\Throwable $error, ?array $enclosing = null): string
{
    $text = ($enclosing ? 'Caused by: ' : '') . str_replace('\\', '.', get_class($error)) . ': ' . $error->getMessage();
    $trace = $error->getTrace();
    $frames = [];
    $file = $error->getFile();
    $line = $error->getLine();
    foreach ([...$trace, []] as $call) {
        $name = ltrim(($call['class'] ?? '') . '.' . ($call['function'] ?? '{main}'), '.');
        $frames[] = str_replace('\\', '.', $name) . '(' . ($file ? basename($file) . ':' . $line : 'Unknown Source') . ')';
        $file = $call['file'] ?? null;
        $line = $call['line'] ?? 0;
    }
    $same = 0;
    while ($enclosing && $same < min(count($frames), count($enclosing)) - 1
        && $frames[count($frames) - 1 - $same] === $enclosing[count($enclosing) - 1 - $same]) {
        $same++;
    }
    foreach (array_slice($frames, 0, count($frames) - $same) as $frame) {
        $text .= "\n\tat $frame";
    }
    $text .= $same ? "\n\t... $same more" : '';
    return $text . ($error->getPrevious() ? "\n" . java_style($error->getPrevious(), $frames) : '');
}

try {
    ('Shop\\' . $argv[1])();
} catch (\Throwable $error) {
    echo ($argv[2] ?? '') === 'otel' ? java_style($error) : (string) $error, "\n";
}
