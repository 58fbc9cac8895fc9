<?php

declare(strict_types=1);

namespace InnoAI\Http;

use InnoAI\Concurrency\Waiting;

/**
 * One request and its answer on a curl handle.
 *
 *     begun ──final head──▶ headed ──last byte──▶ over
 *       └──────────── failure, or closed ──────────▲
 *
 * @internal
 */
final class CurlExchange implements Body
{
    /** Bytes of the body that may lie here unread before the server is made to wait. */
    private const BUFFER = 1 << 20;

    /** Seconds for the end of a body of which no more is wanted: curl keeps the connection of one that it has read. */
    private const SETTLING = 0.1;

    /** Codes of curl that say: there was no connection. */
    private const UNSENT = [CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT];

    /** Codes of curl that a second attempt would give again: certificates, and what was asked for. */
    private const HOPELESS = [
        CURLE_UNSUPPORTED_PROTOCOL,
        CURLE_URL_MALFORMAT,
        CURLE_SSL_CERTPROBLEM,
        CURLE_SSL_CACERT,
        CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_PEER_CERTIFICATE,
        CURLE_SSL_CIPHER,
    ];

    /** CURLE_SEND_FAIL_REWIND: curl would repeat the request on a new connection, and CurlSetup keeps it from that. */
    private const SEND_FAIL_REWIND = 65;

    private readonly \CurlHandle $handle;
    private int $status = 0;
    /** @var array<string, string> */
    private array $headers = [];
    private bool $headed = false;
    private bool $over = false;
    private bool $closed = false;
    private int $result = CURLE_OK;
    private string $reason = '';
    private \SplQueue $pieces;
    private int $buffered = 0;
    private bool $paused = false;
    /** Monotonic seconds at which something moved last. */
    private float $moved;

    public function __construct(
        private readonly CurlTransport $transport,
        private readonly \CurlMultiHandle $multi,
        private readonly Request $request,
        ?string $caFile,
    ) {
        $this->handle = curl_init();
        $this->pieces = new \SplQueue();
        $this->move();
        // The handle must not hold the exchange: dropping the last reference to it is to end the connection.
        $self = \WeakReference::create($this);
        CurlSetup::apply($this->handle, $request, $caFile, static fn () => $self->get()?->move());
        curl_setopt(
            $this->handle,
            CURLOPT_HEADERFUNCTION,
            static fn (\CurlHandle $handle, string $line): int => $self->get()?->took($line) ?? 0,
        );
        curl_setopt(
            $this->handle,
            CURLOPT_WRITEFUNCTION,
            static fn (\CurlHandle $handle, string $piece): int => $self->get()?->got($piece) ?? 0,
        );
    }

    public function __destruct()
    {
        $this->close();
    }

    public function id(): int
    {
        return spl_object_id($this->handle);
    }

    /** Send the request, and wait for the head of the answer. */
    public function begin(): Response
    {
        curl_multi_add_handle($this->multi, $this->handle);
        $this->await(fn (): bool => $this->headed || $this->over);
        if (!$this->headed) {
            throw $this->failure();
        }
        return new Response($this->status, $this->headers, $this);
    }

    public function next(): ?string
    {
        if ($this->pieces->isEmpty() && !$this->over) {
            $this->resume();
            $this->await(fn (): bool => $this->over || !$this->pieces->isEmpty());
        }
        if (!$this->pieces->isEmpty()) {
            $piece = $this->pieces->dequeue();
            $this->buffered -= strlen($piece);
            return $piece;
        }
        if ($this->result !== CURLE_OK) {
            throw $this->failure();
        }
        return null;
    }

    public function settle(): void
    {
        if (!$this->over) {
            Waiting::until(fn (): bool => $this->over, Waiting::now() + self::SETTLING, $this->transport);
        }
        $this->close();
    }

    public function close(): void
    {
        if ($this->closed) {
            return;
        }
        $this->closed = $this->over = true;
        $this->transport->forget($this->id());
        curl_multi_remove_handle($this->multi, $this->handle);
    }

    /** curl has done with it: the answer is whole, or never will be. */
    public function ended(int $result): void
    {
        $this->over = true;
        $this->result = $result;
        $this->reason = match ($result) {
            self::SEND_FAIL_REWIND => 'the server closed the kept connection without an answer',
            default => curl_error($this->handle) ?: (string) curl_strerror($result),
        };
    }

    /** @return array{url: string, status: int} */
    public function __debugInfo(): array
    {
        return ['url' => $this->request->url, 'status' => $this->status];
    }

    private function move(): void
    {
        $this->moved = Waiting::now();
    }

    /** A line of the head, or behind the body of a trailer. */
    private function took(string $line): int
    {
        $this->move();
        if ($this->headed) {
            return strlen($line);
        }
        if (preg_match('~^HTTP/\S+ (\d{3})~', $line, $found) === 1) {
            $this->status = (int) $found[1];
            $this->headers = [];
        } elseif (trim($line) === '') {
            // A status below 200 announces another head.
            $this->headed = $this->status >= 200;
        } else {
            [$name, $value] = explode(':', $line, 2) + [1 => ''];
            $name = strtolower(trim($name));
            $this->headers[$name] = isset($this->headers[$name])
                ? $this->headers[$name] . ', ' . trim($value)
                : trim($value);
        }
        return strlen($line);
    }

    /** Bytes of the body; how many of them were taken. */
    private function got(#[\SensitiveParameter] string $piece): int
    {
        $this->move();
        if ($this->buffered > self::BUFFER) {
            $this->paused = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        $this->pieces->enqueue($piece);
        $this->buffered += strlen($piece);
        return strlen($piece);
    }

    private function resume(): void
    {
        if ($this->paused) {
            $this->paused = false;
            curl_pause($this->handle, CURLPAUSE_CONT);
        }
    }

    /**
     * Drive all that is under way until this is ready.
     *
     * @param \Closure(): bool $ready
     * @throws TransportFailure when nothing moved for too long
     */
    private function await(\Closure $ready): void
    {
        $this->move();
        while (!$ready()) {
            $deadline = $this->moved + $this->request->silence;
            if (Waiting::now() >= $deadline) {
                $this->close();
                throw new TransportFailure(
                    Failure::TimedOut,
                    "The server at {$this->origin()} was silent for {$this->request->silence} seconds.",
                );
            }
            Waiting::until($ready, $deadline, $this->transport);
        }
    }

    private function failure(): TransportFailure
    {
        $this->close();
        $failure = match (true) {
            in_array($this->result, self::UNSENT, true) => Failure::Unsent,
            in_array($this->result, self::HOPELESS, true) => Failure::Hopeless,
            $this->result === CURLE_OPERATION_TIMEDOUT => Failure::TimedOut,
            default => Failure::Lost,
        };
        return new TransportFailure($failure, "The connection to {$this->origin()} failed: {$this->reason}.");
    }

    private function origin(): string
    {
        return substr($this->request->url, 0, strcspn($this->request->url, '/', 8) + 8);
    }
}
