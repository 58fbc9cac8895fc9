<?php

declare(strict_types=1);

namespace InnoAI\Stream;

use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Internal\Json;
use InnoAI\Model\Event;

/**
 * The account's events as they happen. A lost connection is made again, and none is missed.
 *
 * It ends when the loop is left, or by an error that waiting does not mend.
 *
 * @implements \IteratorAggregate<int, Event>
 */
final class EventStream implements \IteratorAggregate
{
    /** @internal `webhooks->stream()` opens one */
    public function __construct(private readonly Live $live)
    {
    }

    /** The event behind which another stream would go on. */
    public function lastEventId(): ?string
    {
        return $this->live->lastEventId();
    }

    /** @return \Generator<int, Event> */
    public function getIterator(): \Generator
    {
        foreach ($this->frames() as $frame) {
            $members = Json::readObject($frame->data)
                ?? throw new UnreadableAnswer('An event of the stream is no JSON object.');
            yield Event::from($members);
        }
    }

    /**
     * The same with each event's body as text in `data`: what a delivery would send and sign.
     *
     * @return \Generator<int, Frame>
     */
    public function frames(): \Generator
    {
        yield from $this->live->frames();
    }

    /** @return array{last_event_id: string|null} */
    public function __debugInfo(): array
    {
        return ['last_event_id' => $this->lastEventId()];
    }
}
