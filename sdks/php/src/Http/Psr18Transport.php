<?php

declare(strict_types=1);

namespace InnoAI\Http;

use InnoAI\Secret;
use Psr\Http\Client\ClientExceptionInterface;
use Psr\Http\Client\ClientInterface;
use Psr\Http\Client\RequestExceptionInterface;
use Psr\Http\Message\RequestFactoryInterface;
use Psr\Http\Message\RequestInterface;
use Psr\Http\Message\StreamFactoryInterface;

/**
 * HTTP by a PSR-18 client of the application's. Timeouts, proxies and whether an answer is buffered are that client's.
 *
 * Its exceptions are not chained to ours: they hold the request, and so the credential.
 */
final class Psr18Transport implements Transport
{
    public function __construct(
        private readonly ClientInterface $client,
        private readonly RequestFactoryInterface $requests,
        private readonly StreamFactoryInterface $streams,
    ) {
    }

    public function send(Request $request): Response
    {
        try {
            $answer = $this->client->sendRequest($this->message($request));
        } catch (RequestExceptionInterface $problem) {
            throw self::failure(Failure::Hopeless, $problem, $request);
        } catch (ClientExceptionInterface $problem) {
            throw self::failure(Failure::Lost, $problem, $request);
        }
        $headers = [];
        foreach ($answer->getHeaders() as $name => $values) {
            $headers[strtolower((string) $name)] = implode(', ', $values);
        }
        return new Response($answer->getStatusCode(), $headers, new Psr18Body($answer->getBody()));
    }

    /** @return array{client: string} */
    public function __debugInfo(): array
    {
        return ['client' => $this->client::class];
    }

    /** @return array<never, never> */
    public function __serialize(): array
    {
        throw new \LogicException('A transport holds connections and is not serialized.');
    }

    private function message(Request $request): RequestInterface
    {
        $message = $this->requests->createRequest($request->method, $request->url);
        foreach ($request->headers() as $name => $value) {
            $message = $message->withHeader($name, $value);
        }
        $body = $request->body();
        return $body === null ? $message : $message->withBody($this->streams->createStream($body));
    }

    private static function failure(
        Failure $failure,
        #[\SensitiveParameter] \Throwable $problem,
        Request $request,
    ): TransportFailure {
        $credential = substr($request->headers()['Authorization'] ?? '', strlen('Bearer '));
        $said = $problem->getMessage();
        $said = $credential === '' ? $said : str_replace($credential, Secret::HIDDEN, $said);
        return new TransportFailure($failure, $problem::class . ": {$said}");
    }
}
