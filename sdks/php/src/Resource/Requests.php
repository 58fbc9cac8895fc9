<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Model\DecidedRequest;
use InnoAI\Page\Listing;
use InnoAI\Page\Page;
use InnoAI\Stream\Live;
use InnoAI\Stream\RequestStream;

/** The account's requests as they happen, and its last refusals: of the server that answers. */
final class Requests extends Resource
{
    /**
     * The last refusals, the newest first, with the checks. `limit`: 1-100.
     *
     * @param array{key_id?: string, limit?: int} $params
     * @return Page<DecidedRequest>
     */
    public function refusals(array $params = []): Page
    {
        return Page::first(new Listing($this->sender, '/requests/refusals', DecidedRequest::class, $params));
    }

    /**
     * Requests as they are decided and finished; a lost connection is made again, with a gap.
     *
     * `only`: `refused` leaves out what is admitted. `lost`: told each time that the connection is lost, with the
     * seconds until the next attempt.
     *
     * @param array{key_id?: string, only?: string, lost?: callable(float): void} $params
     */
    public function stream(array $params = []): RequestStream
    {
        $lost = $params['lost'] ?? null;
        unset($params['lost']);
        return new RequestStream(new Live($this->sender, '/requests/stream', $params, null, $lost));
    }
}
