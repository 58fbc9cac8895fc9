<?php

declare(strict_types=1);

namespace InnoAI\Audit;

/** The links of a log so far: `take` its lines one by one, the oldest first, then `end`. */
final class Chain
{
    /** What the first entry names as the hash before it. */
    private const BEGINNING = '0000000000000000000000000000000000000000000000000000000000000000';

    private Head $last;
    /** @var array<int, list<string>> by sequence */
    private array $heads = [];

    /** @param iterable<Head> $heads what the log has to pass through */
    public function __construct(iterable $heads = [])
    {
        $this->last = new Head(0, self::BEGINNING);
        foreach ($heads as $head) {
            $this->heads[$head->sequence][] = $head->hash;
        }
    }

    /** The next line; what is wrong with it, if anything is. Throws InvalidArgument on what is no entry at all. */
    public function take(string $text): ?BrokenLink
    {
        $entry = Line::read($text);
        $sequence = $this->last->sequence + 1;
        $found = $entry->get('sequence');
        $id = is_string($entry->get('id')) ? $entry->get('id') : null;
        if (is_int($found) && $found > $sequence) {
            return new BrokenLink($sequence, null, Why::EntryMissing);
        }
        $hash = $entry->get('hash');
        if (!is_string($hash) || $entry->hash() !== $hash) {
            return new BrokenLink($sequence, $id, Why::ContentChanged);
        }
        if ($found !== $sequence || $entry->get('previous_hash') !== $this->last->hash) {
            return new BrokenLink($sequence, $id, Why::LinkBroken);
        }
        if (array_diff($this->heads[$sequence] ?? [], [$hash]) !== []) {
            return new BrokenLink($sequence, $id, Why::HeadNotReached);
        }
        $this->last = new Head($sequence, $hash);
        return null;
    }

    /** The verdict, after the last line. */
    public function end(): Verified|BrokenLink
    {
        $missed = array_filter(array_keys($this->heads), fn (int $sequence) => $sequence > $this->last->sequence);
        return $missed === []
            ? new Verified($this->last)
            : new BrokenLink(min($missed), null, Why::HeadNotReached);
    }
}
