<?php

declare(strict_types=1);

namespace InnoAI\Http;

use InnoAI\Concurrency\Poll;
use InnoAI\Concurrency\Waiting;

/**
 * HTTP by ext-curl: connections are kept, bodies are read as they come, several requests may be under way.
 *
 * All of them are on one multi handle, which is driven by whoever waits for one of them.
 */
final class CurlTransport implements Transport, Poll
{
    private ?\CurlMultiHandle $multi = null;

    /** The process that made the handle: a fork must not go on with its parent's connections. */
    private int $process = 0;

    /** @var array<int, \WeakReference<CurlExchange>> by the id of their handle */
    private array $exchanges = [];

    /** @param string|null $caFile PEM file of the certificates to trust; null is curl's own choice */
    public function __construct(private readonly ?string $caFile = null)
    {
    }

    public function send(Request $request): Response
    {
        $exchange = new CurlExchange($this, $this->multi(), $request, $this->caFile);
        $this->exchanges[$exchange->id()] = \WeakReference::create($exchange);
        return $exchange->begin();
    }

    /** An exchange that is over, or given up. */
    public function forget(int $id): void
    {
        unset($this->exchanges[$id]);
    }

    public function drive(): void
    {
        $multi = $this->multi();
        do {
            $status = curl_multi_exec($multi, $running);
        } while ($status === CURLM_CALL_MULTI_PERFORM);
        while ($news = curl_multi_info_read($multi)) {
            $exchange = ($this->exchanges[spl_object_id($news['handle'])] ?? null)?->get();
            $exchange?->ended($news['result']);
        }
    }

    public function rest(float $seconds): void
    {
        $began = hrtime(true);
        $ready = curl_multi_select($this->multi(), $seconds);
        $soon = hrtime(true) - $began < 1_000_000;
        if ($ready < 0 || ($ready === 0 && $soon)) {
            // curl has nothing to wait on, as while a name is looked up by older versions: do not spin.
            Waiting::block(min($seconds, 0.001));
        }
    }

    /** @return array{caFile: string|null} */
    public function __debugInfo(): array
    {
        return ['caFile' => $this->caFile];
    }

    /** @return array<never, never> */
    public function __serialize(): array
    {
        throw new \LogicException('A transport holds connections and is not serialized.');
    }

    private function multi(): \CurlMultiHandle
    {
        $process = getmypid() ?: 0;
        if ($this->multi === null || $this->process !== $process) {
            $this->multi = curl_multi_init();
            $this->process = $process;
            $this->exchanges = [];
        }
        return $this->multi;
    }
}
