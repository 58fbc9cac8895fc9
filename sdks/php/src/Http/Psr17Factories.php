<?php

declare(strict_types=1);

namespace InnoAI\Http;

use InnoAI\Exception\InvalidArgument;
use Psr\Http\Client\ClientInterface;
use Psr\Http\Message\RequestFactoryInterface;
use Psr\Http\Message\StreamFactoryInterface;

/**
 * The PSR-17 factories to go with a PSR-18 client: those given, else the client's own, else those that are installed.
 *
 * @internal
 */
final class Psr17Factories
{
    private const KNOWN = [
        'Nyholm\Psr7\Factory\Psr17Factory',
        'GuzzleHttp\Psr7\HttpFactory',
        'Laminas\Diactoros\RequestFactory',
        'Laminas\Diactoros\StreamFactory',
        'Slim\Psr7\Factory\RequestFactory',
        'Slim\Psr7\Factory\StreamFactory',
        'HttpSoft\Message\RequestFactory',
        'HttpSoft\Message\StreamFactory',
    ];

    public static function transport(
        ClientInterface $client,
        ?RequestFactoryInterface $requests,
        ?StreamFactoryInterface $streams,
    ): Psr18Transport {
        return new Psr18Transport(
            $client,
            $requests ?? self::find(RequestFactoryInterface::class, 'request_factory', $client, $streams),
            $streams ?? self::find(StreamFactoryInterface::class, 'stream_factory', $client, $requests),
        );
    }

    /**
     * @template T of object
     * @param class-string<T> $wanted
     * @return T
     */
    private static function find(string $wanted, string $option, ?object ...$given): object
    {
        foreach ($given as $object) {
            if ($object instanceof $wanted) {
                return $object;
            }
        }
        foreach (self::KNOWN as $class) {
            if (class_exists($class) && is_a($class, $wanted, true)) {
                return new $class();
            }
        }
        throw new InvalidArgument("http_client needs PSR-17 factories and none is installed: pass {$option} as well.");
    }
}
