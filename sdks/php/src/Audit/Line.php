<?php

declare(strict_types=1);

namespace InnoAI\Audit;

use InnoAI\Exception\InvalidArgument;

/**
 * A line of an exported log: its members, and the hash of what it says.
 *
 * @internal
 */
final class Line
{
    private const FLAGS = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_LINE_TERMINATORS;

    private function __construct(private readonly \stdClass $members)
    {
    }

    /** Throws InvalidArgument on what is no JSON object, or shows a member twice: which one would the hash cover? */
    public static function read(string $text): self
    {
        $members = json_decode($text);
        if (!$members instanceof \stdClass) {
            throw new InvalidArgument('It is no JSON object.');
        }
        // In JSON a text before a colon is a name, and nothing else is.
        if (preg_match_all('/"(?:[^"\\\\]++|\\\\.)*+"(?=\s*+(:?))/', $text, $found) === false) {
            throw new InvalidArgument('It is too long to be read.');
        }
        $names = count(array_filter($found[1], static fn (string $colon): bool => $colon !== ''));
        if ($names !== self::count($members)) {
            throw new InvalidArgument('It has a member twice.');
        }
        return new self($members);
    }

    public function get(string $name): mixed
    {
        return $this->members->{$name} ?? null;
    }

    /** SHA-256 over all members but `hash`, as JSON: sorted by name, without white space, UTF-8 unescaped. */
    public function hash(): string
    {
        $content = clone $this->members;
        unset($content->hash);
        return hash('sha256', self::canonical($content));
    }

    private static function canonical(mixed $value): string
    {
        if (is_array($value)) {
            return '[' . implode(',', array_map(self::canonical(...), $value)) . ']';
        }
        if (!$value instanceof \stdClass) {
            return (string) json_encode($value, self::FLAGS);
        }
        $members = [];
        // As text: PHP makes numbers of names such as "10". The order of UTF-8's bytes is that of the code points.
        foreach ((array) $value as $name => $member) {
            $members[] = [(string) $name, $member];
        }
        usort($members, static fn (array $one, array $other): int => strcmp($one[0], $other[0]));
        $texts = array_map(
            static fn (array $member): string =>
                json_encode($member[0], self::FLAGS) . ':' . self::canonical($member[1]),
            $members,
        );
        return '{' . implode(',', $texts) . '}';
    }

    /** The members of a value and of all within it. */
    private static function count(mixed $value): int
    {
        $within = array_sum(array_map(self::count(...), is_scalar($value) ? [] : array_values((array) $value)));
        return $within + ($value instanceof \stdClass ? count((array) $value) : 0);
    }
}
