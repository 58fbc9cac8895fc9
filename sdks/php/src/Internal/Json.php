<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Exception\InvalidArgument;

/**
 * JSON as it is sent and read.
 *
 * Neither function lets PHP throw: the stack trace of a JsonException holds what was to be encoded.
 *
 * @internal
 */
final class Json
{
    private const FLAGS = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION;
    private const DEPTH = 512;

    /** @param array<mixed>|object $value */
    public static function write(#[\SensitiveParameter] array|object $value): string
    {
        $text = json_encode($value, self::FLAGS);
        if ($text === false) {
            throw new InvalidArgument('What was passed cannot be written as JSON: ' . json_last_error_msg());
        }
        return $text;
    }

    /** The value, objects as arrays; null for what is no JSON. */
    public static function read(#[\SensitiveParameter] string $text): mixed
    {
        return json_decode($text, true, self::DEPTH, JSON_BIGINT_AS_STRING);
    }

    /** The object as an array; null for what is no JSON object. @return array<string, mixed>|null */
    public static function readObject(#[\SensitiveParameter] string $text): ?array
    {
        $value = self::read($text);
        return is_array($value) && ($value === [] || !array_is_list($value)) ? $value : null;
    }
}
