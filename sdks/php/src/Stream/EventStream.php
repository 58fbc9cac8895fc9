<?php

declare(strict_types=1);

namespace InnoAI\Stream;

use InnoAI\Concurrency\Waiting;
use InnoAI\Exception\APIError;
use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Http\TransportFailure;
use InnoAI\Internal\Call;
use InnoAI\Internal\Json;
use InnoAI\Internal\Sender;
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
    /** Seconds without a byte after which it counts as lost; the server says something every 15. */
    private const SILENCE = 45.0;

    private readonly Place $place;

    /**
     * @param list<string> $eventTypes none: all
     * @param (callable(float): void)|null $lost told the seconds until the connection is made again
     */
    public function __construct(
        private readonly Sender $sender,
        private readonly array $eventTypes,
        ?string $lastEventId,
        private readonly mixed $lost,
    ) {
        $this->place = new Place($lastEventId);
    }

    /** The event behind which another stream would go on. */
    public function lastEventId(): ?string
    {
        return $this->place->lastEventId;
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
        while (true) {
            $problem = null;
            try {
                foreach ($this->opened() as $frame) {
                    yield $frame;
                }
            } catch (TransportFailure $failure) {
                $problem = Sender::connectionError($failure);
            } catch (APIError $problem) {
            }
            $pause = $this->place->pause($problem);
            if ($this->lost !== null) {
                ($this->lost)($pause);
            }
            Waiting::sleep($pause);
        }
    }

    /** @return array{last_event_id: string|null} */
    public function __debugInfo(): array
    {
        return ['last_event_id' => $this->place->lastEventId];
    }

    /**
     * The frames of one connection.
     *
     * @return \Generator<int, Frame>
     */
    private function opened(): \Generator
    {
        $headers = ['Accept' => 'text/event-stream'];
        if ($this->place->lastEventId !== null) {
            $headers['Last-Event-ID'] = $this->place->lastEventId;
        }
        $query = ['event_types' => $this->eventTypes === [] ? null : $this->eventTypes];
        $options = ['timeout' => self::SILENCE, 'headers' => $headers];
        $response = $this->sender->open(Call::get('/webhooks/stream', $query, $options));
        $this->place->opened();
        $decoder = new Decoder();
        foreach ($response->pieces() as $piece) {
            $this->place->alive();
            foreach ($decoder->feed($piece) as $frame) {
                if ($this->place->passes($frame)) {
                    yield $frame;
                }
            }
        }
    }
}
