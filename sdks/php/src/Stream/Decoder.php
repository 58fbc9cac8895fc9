<?php

declare(strict_types=1);

namespace InnoAI\Stream;

/**
 * Server-sent events out of bytes, however they are cut (WHATWG HTML §9.2.6).
 *
 * An event ends with an empty line: one that was cut off is none.
 */
final class Decoder
{
    private const BYTE_ORDER_MARK = "\u{FEFF}";

    /** The line that is not at its end yet. */
    private string $rest = '';
    /** The last byte was a CR, so that an LF which follows belongs to it. */
    private bool $afterReturn = false;
    private bool $begun = false;

    private ?string $event = null;
    /** @var list<string> */
    private array $data = [];
    private ?string $id = null;
    private ?int $retry = null;
    private bool $empty = true;

    /**
     * The events that end within these bytes.
     *
     * @return list<Frame>
     */
    public function feed(string $bytes): array
    {
        if ($bytes === '') {
            return [];
        }
        if ($this->afterReturn && $bytes[0] === "\n") {
            $bytes = substr($bytes, 1);
        }
        $this->afterReturn = str_ends_with($bytes, "\r");
        $lines = preg_split('/\r\n|\n|\r/', $bytes) ?: [''];
        $lines[0] = $this->rest . $lines[0];
        $this->rest = (string) array_pop($lines);
        $frames = [];
        foreach ($lines as $line) {
            $frame = $this->line($line);
            if ($frame !== null) {
                $frames[] = $frame;
            }
        }
        return $frames;
    }

    private function line(string $line): ?Frame
    {
        if (!$this->begun) {
            $this->begun = true;
            $line = str_starts_with($line, self::BYTE_ORDER_MARK) ? substr($line, 3) : $line;
        }
        if ($line === '') {
            return $this->end();
        }
        [$field, $value] = explode(':', $line, 2) + [1 => ''];
        $this->field($field, str_starts_with($value, ' ') ? substr($value, 1) : $value);
        return null;
    }

    /** A line that begins with a colon has the field '', and is a comment. */
    private function field(string $field, string $value): void
    {
        match ($field) {
            'event' => $this->event = $value,
            'data' => $this->data[] = $value,
            'id' => $this->id = str_contains($value, "\0") ? $this->id : $value,
            'retry' => $this->retry = preg_match('/\A\d{1,9}\z/', $value) === 1 ? (int) $value : $this->retry,
            default => null,
        };
        $this->empty = $this->empty && !in_array($field, ['event', 'data', 'id', 'retry'], true);
    }

    private function end(): ?Frame
    {
        $frame = $this->empty
            ? null
            : new Frame($this->event ?: null, implode("\n", $this->data), $this->id, $this->retry);
        $this->event = $this->id = $this->retry = null;
        $this->data = [];
        $this->empty = true;
        return $frame;
    }
}
