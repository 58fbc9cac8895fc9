<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Exception\InvalidArgument;

/**
 * Checks of what an application passed. No message shows a value.
 *
 * @internal
 */
final class Check
{
    /** A value of that type ('string', or the name of a class), or null. */
    public static function nullable(string $name, #[\SensitiveParameter] mixed $value, string $type): mixed
    {
        if ($value === null || get_debug_type($value) === $type || $value instanceof $type) {
            return $value;
        }
        throw new InvalidArgument("{$name} is to be of type {$type}, and not " . get_debug_type($value) . '.');
    }

    public static function whole(string $name, mixed $value, int $least): int
    {
        if (!is_int($value) || $value < $least) {
            throw new InvalidArgument("{$name} is a whole number, {$least} or more.");
        }
        return $value;
    }

    public static function seconds(string $name, mixed $value): float
    {
        if ((!is_int($value) && !is_float($value)) || !is_finite($value) || $value <= 0) {
            throw new InvalidArgument("{$name} is a number of seconds above 0.");
        }
        return (float) $value;
    }

    /**
     * Headers that can be sent as they are.
     *
     * @return array<string, string>
     */
    public static function headers(string $name, #[\SensitiveParameter] mixed $value): array
    {
        if (!is_array($value)) {
            throw new InvalidArgument("{$name} is an array of texts by their names.");
        }
        foreach ($value as $field => $text) {
            if (!is_string($field) || preg_match('/\A[!#$%&\'*+.^_`|~0-9A-Za-z-]+\z/', $field) !== 1) {
                throw new InvalidArgument("{$name}: a name is no name of a header.");
            }
            if (!is_string($text) || preg_match('/[\x00-\x08\x0a-\x1f\x7f]/', $text) === 1) {
                throw new InvalidArgument("{$name}: the value of {$field} cannot be sent as a header.");
            }
        }
        return $value;
    }

    /** One segment of a path. Refuses what would be read as another path. */
    public static function segment(string $name, #[\SensitiveParameter] string $value): string
    {
        if (in_array($value, ['', '.', '..'], true)) {
            throw new InvalidArgument("{$name} must not be '{$value}'.");
        }
        return rawurlencode($value);
    }
}
