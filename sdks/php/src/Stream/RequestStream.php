<?php

declare(strict_types=1);

namespace InnoAI\Stream;

use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Internal\Json;
use InnoAI\Model\DecidedRequest;
use InnoAI\Model\LostRequests;
use InnoAI\Model\UsageRecord;

/**
 * The account's requests as they are decided and finished. A lost connection is made again, with a gap.
 *
 * It ends when the loop is left, or by an error that waiting does not mend.
 *
 * @implements \IteratorAggregate<int, DecidedRequest|UsageRecord|LostRequests>
 */
final class RequestStream implements \IteratorAggregate
{
    /** @internal `requests->stream()` opens one */
    public function __construct(private readonly Live $live)
    {
    }

    /** @return \Generator<int, DecidedRequest|UsageRecord|LostRequests> */
    public function getIterator(): \Generator
    {
        foreach ($this->live->frames() as $frame) {
            $members = Json::readObject($frame->data)
                ?? throw new UnreadableAnswer('A line of the stream is no JSON object.');
            yield match ($frame->event) {
                'decided' => DecidedRequest::from($members),
                'finished' => UsageRecord::from($members),
                default => LostRequests::from($members),
            };
        }
    }

    /** @return array<never, never> */
    public function __debugInfo(): array
    {
        return [];
    }
}
