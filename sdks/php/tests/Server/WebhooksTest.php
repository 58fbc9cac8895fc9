<?php

declare(strict_types=1);

namespace InnoAI\Tests\Server;

use InnoAI\Enum\DeliveryState;
use InnoAI\Exception\NotFound;
use InnoAI\Tests\Support\Receiver;
use InnoAI\Tests\Support\Relay;

final class WebhooksTest extends ServerTestCase
{
    public function testEndpointsLiveTheirWholeLifeAndAReceiverInPhpVerifiesThem(): void
    {
        $receiver = new Receiver();
        $webhooks = $this->client->webhooks;
        $made = $webhooks->create([
            'url' => $receiver->url,
            'event_types' => ['key.*'],
            'headers' => ['x-a' => 'b'],
        ]);
        $receiver->expect((string) $made->secret);
        $key = $this->client->keys->create(['name' => 'Aling Nena’s "Sari-Sari" 😀']);
        $told = $receiver->waitFor(1)[0];
        self::assertSame([true, true], $told['verdicts']);
        self::assertStringContainsString($key->id, $told['body']);
        self::assertSame('b', array_change_key_case($told['headers'])['x-a']);
        $tested = $webhooks->test($made->id);
        $receiver->waitFor(2);
        while (($delivery = $webhooks->delivery($tested->id))->state === 'pending') {
            usleep(20_000);
        }
        self::assertSame(['webhook.test', 204], [$delivery->event?->type, $delivery->log[0]->status ?? null]);
        self::assertSame($tested->event_id, $webhooks->replayDelivery($tested->id)->event_id);
        self::assertSame([true, true], $receiver->waitFor(3)[2]['verdicts']);
        self::assertSame(0, $webhooks->replay($made->id, new \DateTimeImmutable('-1 day'))->count);
        $sent = $webhooks->deliveries(['endpoint_id' => $made->id, 'state' => DeliveryState::Succeeded, 'limit' => 1]);
        self::assertSame([$made->id], array_unique(array_column(iterator_to_array($sent), 'endpoint_id')));
        $rotated = $webhooks->rotateSecret($made->id, ['overlap' => 60]);
        self::assertNotNull($rotated->previous_secret_expires_at);
        self::assertNotSame($made->secret, $rotated->secret);
        self::assertTrue($webhooks->update($made->id, ['disabled' => true, 'description' => 'Off'])->disabled);
        self::assertContains($made->id, array_column(iterator_to_array($webhooks->list(['limit' => 1])), 'id'));
        $webhooks->delete($made->id);
        $this->expectException(NotFound::class);
        $webhooks->get($made->id);
    }

    public function testEveryTypeOfEventIsDescribed(): void
    {
        $types = iterator_to_array($this->client->webhooks->eventTypes());
        self::assertContains('key.created', array_column($types, 'type'));
        self::assertArrayHasKey('properties', $types[0]->schema);
    }

    public function testAStreamOfEventsGoesOnOverALostConnectionAndRepeatsNone(): void
    {
        $relay = new Relay($this->server->baseUrl);
        $prefix = self::unique('heard');
        $lost = $heard = $ids = [];
        $stream = $this->client->with(['base_url' => $relay->baseUrl])->webhooks->stream([
            'event_types' => ['customer.*'],
            'lost' => static function (float $pause) use (&$lost): void {
                $lost[] = $pause;
            },
        ]);
        $this->client->concurrently([
            function () use ($stream, $prefix, &$heard, &$ids): void {
                foreach ($stream as $event) {
                    $ids[] = $event->id;
                    $heard[] = $event->data['customer_id'];
                    if ($event->data['customer_id'] === "{$prefix}-last") {
                        return;
                    }
                }
            },
            function () use ($relay, $prefix, &$heard): void {
                for ($number = 0; $heard === []; $number++) {
                    $this->client->customers->create(['customer_id' => "{$prefix}-{$number}"]);
                }
                $relay->cut();
                $this->client->customers->create(['customer_id' => "{$prefix}-meanwhile"]);
                $relay->make();
                $this->client->customers->create(['customer_id' => "{$prefix}-last"]);
            },
        ]);
        self::assertNotSame([], $lost);
        self::assertSame(array_unique($ids), $ids);
        self::assertContains("{$prefix}-meanwhile", $heard);
        self::assertSame(end($ids), $stream->lastEventId());
    }
}
