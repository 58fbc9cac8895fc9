<?php

declare(strict_types=1);

namespace InnoAI\Stream;

use InnoAI\Concurrency\Waiting;
use InnoAI\Exception\APIError;
use InnoAI\Http\TransportFailure;
use InnoAI\Internal\Call;
use InnoAI\Internal\Sender;

/**
 * Server-sent events without an end, over connections that may be lost.
 *
 * @internal
 */
final class Live
{
    /** Seconds without a byte after which it counts as lost; the server says something every 15. */
    private const SILENCE = 45.0;

    private readonly Place $place;

    /**
     * @param array<string, mixed> $query
     * @param (callable(float): void)|null $lost told the seconds until the connection is made again
     */
    public function __construct(
        private readonly Sender $sender,
        private readonly string $path,
        private readonly array $query,
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

    /** @return \Generator<int, Frame> */
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
        $options = ['timeout' => self::SILENCE, 'headers' => $headers];
        $response = $this->sender->open(Call::get($this->path, $this->query, $options));
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
