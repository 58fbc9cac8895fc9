<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Exception\APIConnectionError;
use InnoAI\Exception\InsufficientPermissions;
use InnoAI\Model\DecidedRequest;
use InnoAI\Model\LostRequests;
use InnoAI\Model\UsageRecord;
use InnoAI\Stream\Frame;
use InnoAI\Stream\Place;

/** How a stream of events goes on. */
final class PlaceTest extends ScriptedTestCase
{
    public function testPausesGrowUntilSomethingComesAgain(): void
    {
        $place = new Place(null);
        $place->opened();
        $lost = new APIConnectionError('lost');
        $pauses = array_map(static fn () => $place->pause($lost), range(1, 7));
        self::assertSame([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0], $pauses);
        $place->alive();
        self::assertSame(1.0, $place->pause(null));
        $place->alive();
        $place->passes(new Frame(null, '', null, 100));
        self::assertSame([0.1, 0.2], [$place->pause($lost), $place->pause($lost)]);
    }

    public function testAnErrorBeforeTheFirstAnswerIsThrown(): void
    {
        $this->expectException(APIConnectionError::class);
        (new Place(null))->pause(new APIConnectionError('never there'));
    }

    public function testEventsThatComeAgainAreKnownAgain(): void
    {
        $place = new Place('evt_0');
        self::assertTrue($place->passes(new Frame('a', '{}', 'evt_1', null)));
        self::assertFalse($place->passes(new Frame('a', '{}', 'evt_1', null)));
        self::assertFalse($place->passes(new Frame(null, '', 'evt_2', null)));
        self::assertSame('evt_2', $place->lastEventId);
    }

    public function testAStreamSaysBehindWhichEventItBeginsAndARefusalEndsIt(): void
    {
        $event = static fn (int $number): string => "id: evt_{$number}\nevent: key.created\ndata: "
            . "{\"id\":\"evt_{$number}\",\"type\":\"key.created\",\"data\":{\"id\":\"key_{$number}\"}}\n\n";
        $type = ['content-type' => 'text/event-stream'];
        $events = ['headers' => $type, 'text' => "retry: 10\n\n{$event(1)}: alive\n\n"];
        self::script(['GET /v1/webhooks/stream' => [
            $events,
            [...$events, 'text' => $event(1) . $event(2)],
            self::refusal(403, 'insufficient_permissions'),
        ]]);
        $pauses = $heard = [];
        $stream = self::client()->webhooks->stream([
            'event_types' => ['key.*', 'customer.created'],
            'last_event_id' => 'evt_0',
            'lost' => static function (float $seconds) use (&$pauses): void {
                $pauses[] = $seconds;
            },
        ]);
        try {
            foreach ($stream as $event) {
                $heard[] = $event->data['id'];
            }
            self::fail('It ended by itself.');
        } catch (InsufficientPermissions) {
            self::assertSame(['key_1', 'key_2'], $heard);
        }
        $seen = self::seen();
        self::assertSame(['evt_0', 'evt_1', 'evt_2'], array_map(
            static fn (array $request) => $request['headers']['last-event-id'] ?? null,
            $seen,
        ));
        self::assertSame('event_types=key.%2A%2Ccustomer.created', $seen[0]['query']);
        self::assertSame('evt_2', $stream->lastEventId());
        self::assertSame([0.01, 0.01], $pauses);
    }

    public function testRequestsAreToldAsWhatTheyAreAndComeAgainAfterALoss(): void
    {
        $decided = "event: decided\ndata: {\"checks\":[{\"name\":\"network\"}]}\n\n";
        $finished = "event: finished\ndata: {\"status\":200}\n\n";
        $lost = "event: lost\ndata: {\"count\":3}\n\n";
        $stream = ['headers' => ['content-type' => 'text/event-stream']];
        self::script(['GET /v1/requests/stream' => [
            [...$stream, 'text' => "retry: 10\n\n{$decided}{$finished}"],
            [...$stream, 'text' => $decided . $lost],
            self::refusal(403, 'insufficient_permissions'),
        ]]);
        $heard = $pauses = [];
        $params = ['key_id' => 'key_1', 'only' => 'refused'];
        $params['lost'] = static function (float $seconds) use (&$pauses): void {
            $pauses[] = $seconds;
        };
        try {
            foreach (self::client()->requests->stream($params) as $news) {
                $heard[] = $news;
            }
            self::fail('It ended by itself.');
        } catch (InsufficientPermissions) {
            self::assertSame(
                [DecidedRequest::class, UsageRecord::class, DecidedRequest::class, LostRequests::class],
                array_map(get_class(...), $heard),
            );
        }
        self::assertSame(['network', 200, 3], [$heard[0]->checks[0]->name, $heard[1]->status, $heard[3]->count]);
        self::assertSame('key_id=key_1&only=refused', self::seen()[0]['query']);
        self::assertSame([0.01, 0.01], $pauses);
    }
}
