<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Exception\InvalidArgument;
use InnoAI\Secret;

/**
 * What an application passes to the control plane, as JSON has it. Names mean the same on every route.
 *
 * Enums become their values, dates RFC 3339 in UTC, amounts decimal text. Names that this version does not know go out
 * as they are: the server judges them.
 *
 * @internal
 */
final class Params
{
    private const LISTS = ['scopes', 'allowed_ips', 'models', 'event_types', 'group_by', 'alert_thresholds'];
    private const MAPS = ['metadata', 'headers', 'budgets'];

    /**
     * Without what is null: for routes that create, and for queries.
     *
     * @param array<string, mixed> $params
     * @return array<string, mixed>
     */
    public static function known(#[\SensitiveParameter] array $params): array
    {
        return self::given(array_filter($params, static fn (mixed $value): bool => $value !== null));
    }

    /**
     * With what is null: for routes that change, where null takes something away.
     *
     * @param array<string, mixed> $params
     * @return array<string, mixed>
     */
    public static function given(#[\SensitiveParameter] array $params): array
    {
        $wire = [];
        foreach ($params as $name => $value) {
            if (is_int($name)) {
                throw new InvalidArgument('Parameters are passed by name: [\'name\' => …].');
            }
            $wire[$name] = self::member($name, $value);
        }
        return $wire;
    }

    private static function member(string $name, #[\SensitiveParameter] mixed $value): mixed
    {
        if ($value === null) {
            return null;
        }
        if (in_array($name, self::LISTS, true) && !(is_array($value) && array_is_list($value))) {
            throw new InvalidArgument("{$name} is a list.");
        }
        if (in_array($name, self::MAPS, true)) {
            if (!is_array($value) || ($value !== [] && array_is_list($value))) {
                throw new InvalidArgument("{$name} is an array of values by their names.");
            }
            return (object) ($name === 'budgets' ? array_map(self::amount(...), $value) : self::plain($value));
        }
        return self::plain($value);
    }

    private static function plain(#[\SensitiveParameter] mixed $value): mixed
    {
        return match (true) {
            is_array($value) => array_map(self::plain(...), $value),
            $value instanceof \BackedEnum => $value->value,
            $value instanceof \DateTimeInterface => self::moment($value),
            $value instanceof Secret => $value->reveal(),
            default => $value,
        };
    }

    private static function moment(\DateTimeInterface $value): string
    {
        $moment = \DateTimeImmutable::createFromInterface($value)->setTimezone(new \DateTimeZone('UTC'));
        return $moment->format($moment->format('u') === '000000' ? 'Y-m-d\TH:i:s\Z' : 'Y-m-d\TH:i:s.u\Z');
    }

    /** An amount of money: exact, and so never a float. */
    private static function amount(mixed $value): ?string
    {
        return match (true) {
            $value === null => null,
            is_string($value), $value instanceof \Stringable => (string) $value,
            is_int($value) => (string) $value,
            default => throw new InvalidArgument(
                'An amount is decimal text or a whole number: a float is not exact.',
            ),
        };
    }
}
