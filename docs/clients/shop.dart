// An app's layer over the generated Dart client (make clients ARGS=dart): where the API is, signing in and refreshing
// once, keys that survive a restart, uploads, errors, and copies that are checked with 304. docs/clients.md explains it.
// Needs built_collection, dio, marketplace (path: clients/dart), flutter_secure_storage, shared_preferences, uuid.
import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:built_collection/built_collection.dart';
import 'package:dio/dio.dart';
import 'package:flutter_secure_storage/flutter_secure_storage.dart';
import 'package:marketplace/marketplace.dart';
import 'package:shared_preferences/shared_preferences.dart';
import 'package:uuid/uuid.dart';

/// Where the API is: the emulator of Android calls the machine it runs on 10.0.2.2; a phone needs its address.
String developmentUrl() => Platform.isAndroid ? 'http://10.0.2.2:8000' : 'http://127.0.0.1:8000';

/// What the API says when it refuses: `code` never changes, `detail` is for people, `errors` names the fields.
class Refused implements Exception {
  Refused(this.status, this.code, this.detail, this.requestId, this.fields, this.retryAfter);

  factory Refused.from(Response<dynamic> response) {
    final body = response.data is String ? jsonDecode(response.data as String) : response.data;
    final problem = body is Map<String, dynamic> ? body : const <String, dynamic>{};
    final fields = <String, String>{
      for (final error in problem['errors'] as List<dynamic>? ?? const [])
        error['pointer'] as String: error['message'] as String,
    };
    return Refused(
      response.statusCode ?? 0,
      problem['code'] as String? ?? 'internal_error',
      problem['detail'] as String? ?? '',
      problem['request_id'] as String? ?? '',
      fields,
      int.tryParse(response.headers.value('retry-after') ?? ''),
    );
  }

  final int status;
  final String code;
  final String detail;
  final String requestId;
  final Map<String, String> fields;
  final int? retryAfter;
}

/// Sends the access token, and exchanges the refresh token once for all requests that need it.
class Session extends Interceptor {
  Session(this.base, this.vault);

  final String base;
  final FlutterSecureStorage vault;
  Future<String?>? _refreshing;

  Future<void> keep(Tokens tokens) async {
    await vault.write(key: 'access', value: tokens.accessToken);
    await vault.write(key: 'refresh', value: tokens.refreshToken);
  }

  @override
  Future<void> onRequest(RequestOptions options, RequestInterceptorHandler handler) async {
    final token = await vault.read(key: 'access');
    if (token != null && !options.path.startsWith('/api/auth/')) {
      options.headers['Authorization'] = 'Bearer $token';
    }
    options.headers['Accept-Language'] = Platform.localeName.replaceAll('_', '-');
    handler.next(options);
  }

  @override
  Future<void> onError(DioException err, ErrorInterceptorHandler handler) async {
    final response = err.response;
    final again = err.requestOptions.extra['again'] == true;
    if (response?.statusCode != 401 || again || err.requestOptions.path.startsWith('/api/auth/')) {
      return handler.next(err);
    }
    final token = await (_refreshing ??= _refresh().whenComplete(() => _refreshing = null));
    if (token == null) return handler.next(err); // show the sign-in
    final options = err.requestOptions
      ..data = err.requestOptions.data is FormData ? (err.requestOptions.data as FormData).clone() : err.requestOptions.data
      ..extra['again'] = true
      ..headers['Authorization'] = 'Bearer $token';
    try {
      handler.resolve(await Dio(BaseOptions(baseUrl: base)).fetch<dynamic>(options));
    } on DioException catch (failed) {
      handler.next(failed);
    }
  }

  Future<String?> _refresh() async {
    final refresh = await vault.read(key: 'refresh');
    if (refresh == null) return null;
    try {
      final response = await Dio(BaseOptions(baseUrl: base))
          .post<Map<String, dynamic>>('/api/auth/refresh', data: {'refresh_token': refresh});
      await vault.write(key: 'access', value: response.data!['access_token'] as String);
      await vault.write(key: 'refresh', value: response.data!['refresh_token'] as String);
      return response.data!['access_token'] as String;
    } on DioException catch (failed) {
      if (failed.response?.statusCode == 401) {
        await vault.deleteAll(); // invalid_refresh_token: the session is over
      }
      return null; // no network: keep the tokens, try again later
    }
  }
}

/// One key for each thing that the user does, kept on the device until there is a response.
class Keys {
  Keys(this.store);

  final SharedPreferences store;

  Future<T> once<T>(String action, Future<T> Function(String key) send) async {
    final name = 'key:$action';
    final key = store.getString(name) ?? const Uuid().v4();
    await store.setString(name, key);
    try {
      final result = await send(key);
      await store.remove(name);
      return result;
    } on DioException catch (failed) {
      final status = failed.response?.statusCode ?? 0;
      final code = failed.response == null ? '' : Refused.from(failed.response!).code;
      final open = status == 0 || status >= 500 || status == 429 || code == 'request_in_progress';
      if (!open) await store.remove(name); // refused: nothing was done, the next try is another one
      rethrow;
    }
  }
}

class Shop {
  Shop(this.client, this.session, this.keys);

  static Future<Shop> open({String? url}) async {
    final base = url ?? developmentUrl();
    final session = Session(base, const FlutterSecureStorage());
    final dio = Dio(BaseOptions(
      baseUrl: base,
      connectTimeout: const Duration(seconds: 5),
      receiveTimeout: const Duration(seconds: 20),
    ));
    final client = Marketplace(dio: dio, basePathOverride: base, interceptors: [session]);
    return Shop(client, session, Keys(await SharedPreferences.getInstance()));
  }

  final Marketplace client;
  final Session session;
  final Keys keys;
  final Map<int, (String, Product)> _copies = {};

  Future<void> signIn(String email, String password) async {
    final wanted = Credentials((b) => b
      ..email = email
      ..password = password
      ..deviceName = 'Pixel 9');
    await session.keep((await _said(client.getAuthApi().login(credentials: wanted))).data!);
  }

  /// The product, from the copy where the server says 304: that costs a quarter.
  Future<Product> product(int id) async {
    final copy = _copies[id];
    try {
      final response = await client.getProductsApi().getProduct(productId: id, ifNoneMatch: copy?.$1);
      _copies[id] = (response.headers.value('etag') ?? '', response.data!);
      return response.data!;
    } on DioException catch (failed) {
      if (failed.response?.statusCode == 304 && copy != null) return copy.$2;
      throw Refused.from(failed.response!);
    }
  }

  /// Null in the document empties a field; a field that is left out stays. The generated ProductPatch leaves out what is
  /// null, so this goes as a map.
  Future<void> forgetDescription(int id, String etag) => _said(client.dio.patch<dynamic>(
        '/api/products/$id',
        data: {'description': null},
        options: Options(headers: {'If-Match': etag}),
      ));

  Future<void> addImage(int id, File file) async {
    final part = await MultipartFile.fromFile(file.path, filename: 'foto.jpg');
    await keys.once('image:$id:${file.path}', (key) => client.getProductsApi().addProductImages(
          productId: id,
          idempotencyKey: key,
          images: [part].toBuiltList(),
        ));
  }

  /// Buys one thing: the quote first, so that the buyer sees the total that is then sent back.
  Future<Checkout> buy(int productId, int quantity) async {
    final line = WantedLine((b) => b
      ..productId = productId
      ..quantity = quantity);
    final wanted = QuoteRequest((b) => b
      ..lines.add(line)
      ..buyNow = true);
    final quote = (await _said(client.getCheckoutApi().quoteCheckout(quoteRequest: wanted))).data!;
    final placed = NewCheckout((b) => b
      ..lines.add(line)
      ..buyNow = true
      ..expectedTotal = quote.total
      ..payment.method = 'cod');
    final response = await keys.once('buy:$productId', (key) =>
        client.getCheckoutsApi().placeCheckout(idempotencyKey: key, newCheckout: placed));
    return response.data!;
  }

  Future<Response<T>> _said<T>(Future<Response<T>> call) async {
    try {
      return await call;
    } on DioException catch (failed) {
      if (failed.response == null) rethrow; // no response: tell "no connection", keep keys
      throw Refused.from(failed.response!);
    }
  }
}
